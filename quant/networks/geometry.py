"""The sizes of a network."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from quant.networks.registry import CELLS
from quant.sites.site import DIRECTIONS
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import shown

MOST_LAYERS, MOST_SIZE = 64, 1 << 16
"""Layers of a network, and inputs, cells or outputs of one: beyond what is trained, and within memory's reach."""


@dataclass(frozen=True)
class Geometry:
    """A stack of layers of one cell, and an output layer. Raises InputError for sizes that cannot be."""

    cell: str
    """Name of the cell."""
    layers: int
    """Recurrent layers."""
    inputs: int = 23
    """Features of a frame."""
    cells: int = 550
    """Cells of a layer and direction."""
    projection: int | None = None
    """Outputs of the projection between two layers; None for cells that have none."""
    outputs: int = 117
    """Scores of a frame: by default the monophone states of the embedded corpus."""
    causal: bool = False
    """Whether layers run forward in time alone; they are bidirectional otherwise."""

    def __post_init__(self) -> None:
        if self.projection is not None and not self._projects:
            raise InputError(f"model geometry: projection: {self.projection!r}: networks of {self.cell} have none")
        if type(self.causal) is not bool:
            raise InputError(f"model geometry: causal is {shown(self.causal)}: it must be true or false")
        for name, value in self.to_dict().items():
            most = MOST_LAYERS if name == "layers" else MOST_SIZE
            if name not in ("cell", "causal") and (type(value) is not int or not 1 <= value <= most):
                rule = f"it must be a whole number from 1 to {most}"
                raise InputError(f"model geometry: {name} is {shown(value)}: {rule}")

    @property
    def layer_inputs(self) -> tuple[int, ...]:
        """Inputs of each recurrent layer."""
        following = self.projection or self.directions * self.cells
        return (self.inputs, *[following] * (self.layers - 1))

    @property
    def directions(self) -> int:
        """Directions of time of a layer."""
        return 1 if self.causal else DIRECTIONS

    def to_dict(self) -> dict[str, Any]:
        """What files hold: with the name of the cell, or with the projection where networks of the cell have one. That
        a network is causal is said where it is."""
        names: tuple[str, ...] = ("inputs", "layers", "cells", "projection", "outputs")
        if not self._projects:
            names = ("cell", "inputs", "layers", "cells", "outputs")
        names += ("causal",) * self.causal
        return {name: getattr(self, name) for name in names}

    @property
    def _projects(self) -> bool:
        return CELLS.get(self.cell).default_projection is not None


def geometry(cell: str, values: Mapping[str, Any]) -> Geometry:
    """Sizes of a network of a cell, the cell's own ones where `values` has none, as in a recipe or in what `to_dict`
    gave. Raises InputError for an unknown cell or size."""
    chosen = CELLS.get(cell)
    names = [field.name for field in fields(Geometry)]
    for name, value in values.items():
        if name not in names:
            raise InputError(f"model geometry: {name}: no such size: there are {', '.join(names[1:])}")
        if name == "cell" and value != cell:
            raise InputError(f"model geometry: cell {value!r}: it must be {cell}, as beside it")
    own = {"layers": chosen.default_layers, "projection": chosen.default_projection}
    return Geometry(**{"cell": cell, **own, **values})
