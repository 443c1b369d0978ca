"""What a recurrent cell is to the rest of the project: a subclass of `RecurrentCell` brings a new one.

A network, its training, its quantization, its files and its traces ask a cell, and know none by name. The layers of a
network are bidirectional, or causal; a cell has G gates, and a layer C cells a direction.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import torch

from quant.arithmetic.grid import Grid
from quant.networks.cell_layer import CellLayer, LayerParameters
from quant.networks.traced_layer import TracedLayer
from quant.sites.candidate import Bits
from quant.sites.site import DIRECTIONS, Site
from simulators.workloads.operations import ElementwiseOp


class RecurrentCell(ABC):
    """A recurrent cell: its sizes, its sites, its passes and its trace. `docs/add-a-cell.md` shows how to write one."""

    name: ClassVar[str]
    """What checkpoints, recipes and `mohaq train --cell` call it."""
    title: ClassVar[str]
    """What a model's card calls it."""
    gates: ClassVar[int]
    """Rows of the weight matrices a cell and direction."""
    ops: ClassVar[Mapping[ElementwiseOp, int]]
    """Elementwise operations of one cell and step, biases included, counted from the equations."""
    vector_words: ClassVar[int]
    """Biases and recurrent vectors of one cell and direction, as 16-bit words."""
    states: ClassVar[int] = 1
    """Values that a step hands on: h, and others such as the memory of LSTM."""
    default_layers: ClassVar[int] = 4
    """Recurrent layers of a network whose size is not said: those of a published one."""
    default_projection: ClassVar[int | None] = None
    """Outputs of the projection between two layers, where a network has such; None: it has none."""
    input_bias: ClassVar[bool] = True
    """Whether a bias is added to the input product: a parameter of its own, batch-normalised away in training."""
    shifted_gates: ClassVar[tuple[int, ...] | None] = None
    """Gates whose batch-normalised products are shifted as well as scaled, of a cell without an input bias: the
    recurrence adds biases of its own to them (`with_shift`). None: its networks are trained without normalisation."""
    input_prefix: ClassVar[str] = "W"
    """Name of the input products' sites, before the layer's number."""
    vectors_prefix: ClassVar[str] = "R"
    """Name of the recurrence's vectors, before the layer's number."""
    frames_per_batch: ClassVar[int] = 8192
    """Frames of a batch in an evaluation."""

    @abstractmethod
    def layer_sites(self, layer: int, inputs: int, cells: int, directions: int = DIRECTIONS) -> tuple[Site, ...]:
        """The weight matrices of a layer (from 0) of so many inputs and cells a direction, in the order of the
        computation; the first multiplies the layer's input. A causal network has one direction."""

    @abstractmethod
    def vectors_shape(self, cells: int, directions: int = DIRECTIONS) -> tuple[int, ...]:
        """Shape of the recurrence's vectors of a layer, all directions together: (directions, …)."""

    def with_shift(self, vectors: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """The recurrence's vectors with the shift (D·G·C,) of its gates in their biases, of a cell with
        `shifted_gates`."""
        raise NotImplementedError(f"cell {self.name}: with_shift")

    @abstractmethod
    def vectors_grid(self, vectors: torch.Tensor, sums: Grid) -> Grid:
        """The 16-bit fixed point that the recurrence's vectors are held in, given that of the sums."""

    @abstractmethod
    def layer(self, parameters: LayerParameters) -> CellLayer:
        """A layer of these parameters, to be computed."""

    @abstractmethod
    def trace_layers(
        self, sites: tuple[Site, ...], bits: Bits, steps: int, output_bits: int, elementwise_name: Callable[[str], str]
    ) -> Iterator[TracedLayer]:
        """What a layer of these sites computes in `steps` frames, as the simulators take it.

        `output_bits` is the width in which what follows reads h. `elementwise_name` names the elementwise work of a
        direction ("f", "b", or "" where there is one for all)."""
