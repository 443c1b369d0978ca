"""A candidate of a recogniser as the constants that the integer-only reference computes it with: what an export writes.

The reference itself is `quant.arithmetic.integer_reference`, and the steps in whole numbers are the cells'; here stands
what they read, gathered once, so that every format says the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.grid import Grid
from quant.arithmetic.integer_reference import CARRIED, IntegerArithmetic
from quant.arithmetic.weights import QuantizedWeights
from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, Multiplier, fraction_of
from quant.files.checkpoint import Checkpoint
from quant.networks.gated import GatedCell
from quant.networks.network import OUTPUT, Network
from quant.networks.scanned_cell import ScannedCell
from quant.networks.sru import grid_of
from quant.sites.candidate import Bits, check_candidate
from quant.speech.features import Statistics
from simulators.inputs.errors import InputError

EXPORTED_CELLS = ("sru", "lstm", "gru", "ligru", "mingru", "lru")
"""Cells whose step the formats can say."""
_MOST_SHIFT = 62


@dataclass(frozen=True)
class IntegerSite:
    """A weight matrix (M, K), the activation that feeds it, and what becomes of its sums."""

    name: str
    weight_bits: int
    codes: Ints
    """(M, K)"""
    weight_steps: np.ndarray
    """(M,) float64: a weight is code · step."""
    activations: Grid
    encode: Multiplier
    """Makes carried values, in units of 2^-14, codes of the activations' grid."""
    rescale: Multiplier
    """(M,) Makes sums units of the results."""
    bias: Ints | None
    """(M,) In units of the results."""
    results: Grid
    """16-bit fixed point."""

    @property
    def fraction(self) -> int:
        """Fractional bits of the results."""
        return fraction_of(self.results)

    @property
    def alike(self) -> bool:
        """Whether all rows have one step."""
        return bool((self.weight_steps == self.weight_steps[0]).all())

    def rows(self, direction: int, directions: int) -> "IntegerSite":
        """The part of a recurrent matrix of so many directions that is one's: 0 forward, 1 backward."""
        count = len(self.codes) // directions
        own = slice(direction * count, (direction + 1) * count)
        rescale = Multiplier(*(part[own] for part in (self.rescale.first, self.rescale.m, self.rescale.second)))
        return replace(
            self, name=f"{self.name}.{('forward', 'backward')[direction]}", codes=self.codes[own],
            weight_steps=self.weight_steps[own], rescale=rescale, bias=None if self.bias is None else self.bias[own],
        )  # fmt: skip


@dataclass(frozen=True)
class IntegerLayer:
    """A recurrent layer of C cells a direction: rows of all directions, forward first."""

    input: IntegerSite
    recurrent: IntegerSite | None
    """None for SRU, minGRU and LRU."""
    vectors: Ints
    """(D, R·C) biases of the recurrent product in units of its results, or SRU's (D, 4, C) or LRU's constants (D, 3, C)
    with `held` fractional bits."""
    cells: int
    """Cells of a direction: C."""
    directions: int
    """2, or 1 of causal networks, which go forward alone."""
    sums: int
    """Fractional bits of sums before a gate."""
    memory: int
    """Fractional bits of what is kept from step to step, where that is no gate."""
    held: int
    """Fractional bits of the vectors."""
    output: int
    """Fractional bits of h."""
    carries: bool
    """Whether the recurrence reads its input's results as they are carried between operations; else as they are."""


@dataclass(frozen=True)
class IntegerProgram:
    """A candidate's computation, from normalised features to scores."""

    name: str
    """Name of the model that it is a candidate of."""
    cell: str
    bits: Mapping[str, tuple[int, int]]
    layers: tuple[IntegerLayer, ...]
    projections: tuple[IntegerSite | None, ...]
    """What narrows the input of each layer, if anything does."""
    output: IntegerSite
    statistics: Statistics

    @property
    def sites(self) -> tuple[IntegerSite, ...]:
        """All of them in the order of the computation."""
        found: list[IntegerSite] = []
        for layer, projection in zip(self.layers, self.projections, strict=True):
            found += [site for site in (projection, layer.input, layer.recurrent) if site is not None]
        return (*found, self.output)


def integer_program(checkpoint: Checkpoint, weights: QuantizedWeights, bits: Bits) -> IntegerProgram:
    """A candidate of a checkpoint, with its weights as they are quantized. Raises InputError for a bad candidate, for a
    cell that no format can say, and for steps so far apart that no shift of 62 bits joins them."""
    network = checkpoint.network
    weights.scheme.refuse_codebooks("no format of exports has codebooks")
    check_candidate(bits, network.sites)
    if network.cell.name not in EXPORTED_CELLS:
        known = ", ".join(EXPORTED_CELLS)
        raise InputError(f"cell {network.cell.name}: its step is in Python alone: these can be exported: {known}")
    weights.prepare(bits)
    reference = IntegerArithmetic(bits, weights, checkpoint.calibration, network.sites[0].name)
    layers = tuple(_layer(network, i, reference, checkpoint.calibration) for i in range(len(network.layer_sites)))
    names = {site.name for site in network.sites}
    projections = tuple(
        _site(network, f"P{i}", None, reference) if f"P{i}" in names else None for i in range(len(layers))
    )
    return IntegerProgram(
        name=checkpoint.name,
        cell=network.cell.name,
        bits=dict(bits),
        layers=layers,
        projections=projections,
        output=_site(network, OUTPUT, "bias", reference),
        statistics=checkpoint.statistics,
    )


def _layer(network: Network, i: int, reference: IntegerArithmetic, calibration: Calibration) -> IntegerLayer:
    cell = network.cell
    first, *others = (site.name for site in network.layer_sites[i])
    recurrent = _site(network, others[0], None, reference) if others else None
    source = _site(network, first, f"B{i}" if cell.input_bias else None, reference)
    last = recurrent or source
    values = network.get_parameter(f"{cell.vectors_prefix}{i}").detach()
    memory = fraction_of(calibration.states[last.name])
    scanned = isinstance(cell, ScannedCell)
    if isinstance(cell, ScannedCell):
        constants = cell.integer_constants(values)
        shape = network.geometry.directions, len(constants), network.geometry.cells
        vectors, held = np.stack(constants, 1) if constants else np.zeros(shape, np.int64), GATE_FRACTION
    elif recurrent is None:
        grid = grid_of(values)
        vectors, held = grid.encode(values).numpy().astype(np.int64), fraction_of(grid)
    else:
        vectors = np.rint(values.double().numpy() / last.results.step).astype(np.int64)
        held = last.fraction
    bounded = cell.bounded if isinstance(cell, GatedCell) else not scanned
    return IntegerLayer(
        input=source,
        recurrent=recurrent,
        vectors=vectors,
        cells=network.geometry.cells,
        directions=network.geometry.directions,
        sums=last.fraction,
        memory=memory,
        held=held,
        output=GATE_FRACTION if bounded else memory,
        carries=recurrent is not None or scanned,
    )


def _site(network: Network, name: str, bias: str | None, reference: IntegerArithmetic) -> IntegerSite:
    grid, results = reference.grid(name), reference.calibration.results[name]
    weight_bits = reference.bits[name][0]
    rescale, encode = reference.rescale(name, results), Multiplier.of(np.array(2.0**-CARRIED / grid.step))
    for what, factor in (("sums", rescale), ("activations", encode)):
        if int(np.max(factor.first)) > _MOST_SHIFT or int(np.min(factor.second)) < 0:
            raise InputError(f"site {name}: its {what} have a step that no shift of {_MOST_SHIFT} bits reaches")
    values = None if bias is None else network.get_parameter(bias).detach().double().numpy()
    return IntegerSite(
        name=name,
        weight_bits=weight_bits,
        codes=reference.weight_codes(name),
        weight_steps=reference.weight_steps(name),
        activations=grid,
        encode=encode,
        rescale=rescale,
        bias=None if values is None else np.rint(values / results.step).astype(np.int64),
        results=results,
    )
