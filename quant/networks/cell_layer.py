"""A recurrent layer of a network: the parameters and sites of one, and the passes that its cell has for it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import IntegerArithmetic
from quant.arithmetic.observer import Observer
from quant.networks.step import StepRoundings, Tensors


@dataclass(frozen=True)
class LayerParameters:
    """What a network has for one of its recurrent layers, of G gates and C cells in each of D
    directions."""

    input_site: str
    """Name of the input product's site."""
    input_weight: torch.Tensor
    """(D·G·C, K), the rows of the forward direction first."""
    vectors: torch.Tensor
    """What the recurrence multiplies or adds elementwise, in the shape that the cell asks for, directions
    first."""
    bias: torch.Tensor | None = None
    """(D·G·C,), added to the input product, of cells that ask for it."""
    recurrent_site: str | None = None
    """Name of the recurrent product's site, of cells with one."""
    recurrent_weight: torch.Tensor | None = None
    """(D·G·C, C), of cells with a recurrent product."""

    @property
    def directions(self) -> int:
        """Directions of time: 2, or 1 of a causal network."""
        return len(self.vectors)


class SeenRecurrence(NamedTuple):
    """What one direction of a layer of a cell with a recurrent product computed in T steps: all that decides each
    step's states."""

    step: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Tensors, StepRoundings], Tensors]
    """The cell's step."""
    sites: tuple[str, str]
    """Names of the sites of the input product and of the recurrent one."""
    x: torch.Tensor
    """(T, B, K) What the input product reads."""
    weight: torch.Tensor
    """(G·C, K) What it multiplies with."""
    u: torch.Tensor
    """(T, B, G·C) Results of the input product with their bias."""
    a: torch.Tensor
    """(T, B, G·C) Results of the recurrent product."""
    bias: torch.Tensor
    """(1, R·C) Biases of the recurrent product."""
    before: Tensors
    """(T, B, C) each: the states that each step begins with."""


class ValueRoundings(Protocol):
    """How a module of one's own holds its values (`quant.own.roundings`): products of rounded float32 values."""

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """What the product of a site reads."""
        ...

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """What the product of a site multiplies with."""
        ...

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        """What the product of a site leaves, and sums of it."""
        ...

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """What the recurrence of a site keeps from step to step."""
        ...

    def gate(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """A gate of the recurrence of a site, or another value in [-1, 1]."""
        ...

    def recurrence(self, recurrence: "SeenRecurrence") -> None:
        """Told what one direction of a layer computed."""
        ...

    def steps(self, site: str) -> tuple[float, float] | None:
        """Steps of the 16-bit fixed point of a site's results and states; None where nothing is rounded."""
        ...


class CellLayer(ABC):
    """A recurrent layer, bidirectional or causal, to be computed in any arithmetic
    (`quant.arithmetic.protocol.RecurrentLayer`), and in the roundings of modules of one's own.

    Every pass takes x (T, B, K) and the utterances' lengths (B,) in frames, and returns h (T, B, D, C), zero past an
    utterance's end.
    """

    @abstractmethod
    def in_float(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: FloatArithmetic) -> torch.Tensor:
        """Float32, differentiable."""

    @abstractmethod
    def observed(self, x: torch.Tensor, lengths: torch.Tensor, observer: Observer) -> torch.Tensor:
        """Float32, while the observer is told the inputs, results and states of the layer's sites."""

    @abstractmethod
    def in_fixed_point(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: QuantizedArithmetic) -> torch.Tensor:
        """Products of integer codes, everything else in 16-bit fixed point: float32, or int16 in gate steps."""

    @abstractmethod
    def in_integers(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: IntegerArithmetic) -> torch.Tensor:
        """Whole numbers alone. Raises InputError where the cell has no such pass."""

    @abstractmethod
    def in_roundings(self, x: torch.Tensor, lengths: torch.Tensor, roundings: ValueRoundings) -> torch.Tensor:
        """Float32 values, rounded as a module of one's own has it."""
