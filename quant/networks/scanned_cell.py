"""Cells without a recurrent product, whose state is linear in the one before: an input product of all steps, and
elementwise work behind it.

    u = W x + b                      of all steps and directions at once, by the site W
    s = a s' + …,  h = …             elementwise; see `quant.networks.linear_scan`

Arrays are time-major with the D directions side by side, each in its own order of time: u is (T, D, B, G·C), h is
(T, D, B, C), vectors are (D, V, C).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import torch

from quant.arithmetic.grid import Grid, fixed_point_grid
from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, saturated
from quant.networks.cell_layer import CellLayer, LayerParameters
from quant.networks.fused_trace import FusedWork, fused_layers
from quant.networks.recurrent_cell import RecurrentCell
from quant.networks.scanned_layer import ScannedLayer
from quant.networks.step import Fractions, StepRoundings, Tensors
from quant.networks.traced_layer import TracedLayer
from quant.sites.candidate import Bits
from quant.sites.site import DIRECTIONS, Role, Site, direction_of


class ScannedCell(RecurrentCell):
    """A cell by what it makes of all steps at once, and by one step, rounded. h and the state have one format."""

    vectors: ClassVar[int] = 0
    """Vectors of a cell and direction that are trained, biases of the input product apart."""

    @abstractmethod
    def all_steps(self, u: torch.Tensor, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """h of all steps, differentiable, and what is kept from step to step (T, D, B, …)."""

    @abstractmethod
    def step(self, u: torch.Tensor, constants: Tensors, state: Tensors, roundings: StepRoundings) -> Tensors:
        """One step of all directions: u (D, B, G·C), constants (D, 1, C) and state (h', …) of (D, B, C) each. Returns
        the next state, h first. It says what is rounded, and where."""

    @abstractmethod
    def integer_step(
        self, u: Ints, constants: tuple[Ints, ...], state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` in whole numbers: u with `fractions.sum` fractional bits, state with `fractions.memory`, constants
        with `quant.arithmetic.whole_numbers.GATE_FRACTION`."""

    def constants(self, vectors: torch.Tensor) -> Tensors:
        """What a step multiplies with, in [-1, 1], (D, C) each, of the vectors (D, V, C)."""
        return ()

    def held_constants(self, vectors: torch.Tensor) -> Tensors:
        """`constants` in float64, of vectors that are held in their 16 bits."""
        if vectors.numel():
            vectors = self.vectors_grid(vectors, fixed_point_grid(1.0)).round(vectors)
        return self.constants(vectors.double())

    def integer_constants(self, vectors: torch.Tensor) -> tuple[Ints, ...]:
        """`constants` as `integer_step` reads them, (D, C) each."""
        return tuple(
            saturated(np.rint(value.numpy() * 2.0**GATE_FRACTION).astype(np.int64))
            for value in self.held_constants(vectors.detach())
        )

    def layer_sites(self, layer: int, inputs: int, cells: int, directions: int = DIRECTIONS) -> tuple[Site, ...]:
        """One matrix for all directions and gates."""
        rows = directions * self.gates * cells
        return (Site(f"{self.input_prefix}{layer}", rows, inputs, Role.INPUT, layer, direction_of(directions)),)

    def vectors_shape(self, cells: int, directions: int = DIRECTIONS) -> tuple[int, ...]:
        """(D, V, C)."""
        return directions, self.vectors, cells

    def vectors_grid(self, vectors: torch.Tensor, sums: Grid) -> Grid:
        """The finest that holds the largest of them."""
        return fixed_point_grid(float(vectors.abs().max()))

    def layer(self, parameters: LayerParameters) -> CellLayer:
        """A layer of these parameters, to be computed."""
        return ScannedLayer(self, parameters)

    def trace_layers(
        self, sites: tuple[Site, ...], bits: Bits, steps: int, output_bits: int, elementwise_name: Callable[[str], str]
    ) -> Iterator[TracedLayer]:
        """The product of all steps, whose results are 16-bit fixed point, and the recurrence of all directions."""
        (site,) = sites
        work = FusedWork(elementwise_name(""), self.gates, self.ops, self.vector_words)
        yield from fused_layers(site, bits[site.name], steps, output_bits, work)
