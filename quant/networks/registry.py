"""The networks by the name of their cell: what a checkpoint or a recipe names."""

from collections.abc import Mapping
from typing import Any

from quant.networks.cells import CELLS
from quant.networks.gated import GatedGeometry, GatedRnn
from quant.networks.sru import Sru, SruGeometry
from simulators.inputs.errors import InputError

Network = Sru | GatedRnn
Geometry = SruGeometry | GatedGeometry
NAMES = (Sru.cell, *CELLS)
PUBLISHED_LAYERS = {"lstm": 4, "gru": 5, "ligru": 5}
"""PyTorch-Kaldi's recipes for TIMIT, 550 cells each (Ravanelli et al. 2019)."""


def geometry(cell: str, values: Mapping[str, Any]) -> Geometry:
    """Sizes of a network, the published ones where `values` has none. Raises InputError for an unknown cell or size."""
    try:
        if cell == Sru.cell:
            return SruGeometry(**values)
        if cell not in CELLS:
            raise InputError(f"cell {cell!r}: it must be one of {', '.join(NAMES)}")
        return GatedGeometry(**{"cell": cell, "layers": PUBLISHED_LAYERS[cell], **values})
    except TypeError as error:
        raise InputError(f"model geometry: {error}") from None


def network(sizes: Geometry, dropout: float = 0.0, training: bool = False) -> Network:
    """A network of these sizes, with what only training needs or without it."""
    if isinstance(sizes, SruGeometry):
        return Sru(sizes, dropout)
    return GatedRnn(sizes, dropout, normalised=training)


def trained(net: Network) -> Network:
    """What is stored and quantized: without what only training needs."""
    return net if isinstance(net, Sru) else net.folded()
