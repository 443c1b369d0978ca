"""Cells with a recurrent matrix product: a step is written once, and everything else follows from it.

    u = W x + b        of all steps and both directions at once, by the site W
    a = U h'           h' the state of the step before, by the site U, direction by direction
    h, … = step(u, a, …)

Arrays are time-major with the D directions, two or one, side by side, each in its own order of time: u is
(T, D, B, G·C), the recurrent weights are (D, G·C, C), h is (T, D, B, C).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch

from quant.arithmetic.float_arithmetic import Rounding, exactly
from quant.arithmetic.grid import Grid
from quant.arithmetic.whole_numbers import Ints
from quant.networks.cell_layer import CellLayer, LayerParameters
from quant.networks.gated_layer import GatedLayer
from quant.networks.recurrent_cell import RecurrentCell
from quant.networks.step import FastStep, Fractions, StepRoundings, Tensors
from quant.networks.traced_layer import TracedLayer
from quant.sites.candidate import Bits
from quant.sites.site import DIRECTIONS, Direction, Role, Site, direction_of
from simulators import Elementwise, Matmul
from simulators.inputs.errors import InputError


class GatedCell(RecurrentCell):
    """A cell with a recurrent product, by its step. Training differentiates the step through time, quantized evaluation
    rounds it: a cell that is to be trained or evaluated fast has better ways of its own."""

    recurrent_biases: ClassVar[int] = 0
    """Biases of a cell and direction that are added to the recurrent product of its last gates, and cannot join the
    input's."""
    bounded: ClassVar[bool] = True
    """Whether h lies in [-1, 1] and is held as gates are; else it is held as the memory is."""

    @abstractmethod
    def step(
        self, u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings
    ) -> Tensors:
        """One step of all directions: u (D, B, G·C) with its bias, a = U h' (D, B, G·C), bias (D, R·C) of the
        recurrent product, state (h', …) of (D, B, C) each. Returns the next state. It says what is rounded, and
        where."""

    def integer_step(
        self, u: Ints, a: Ints, bias: Ints, state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` of one direction in whole numbers, for the integer-only reference: u and a (B, G·C) and bias (R·C,)
        with `fractions.sum` fractional bits, state of (B, C) each. Raises InputError unless the cell has one."""
        raise InputError(f"cell {self.name}: it has no integer_step, without which there is no integer-only reference")

    def fast_step(self) -> FastStep | None:
        """A compiled `step` for quantized evaluation; without one, `step` runs in torch."""
        return None

    def differentiable(
        self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, read: Rounding = exactly
    ) -> torch.Tensor:
        """h (T, D, B, C) of u (T, D, B, G·C), w (D, G·C, C) and bias (D, R·C). The recurrent product reads h through
        `read`, which gradients pass as if it were not there."""
        turned = w.transpose(1, 2)

        def product(h: torch.Tensor) -> torch.Tensor:
            return torch.bmm(h if read is exactly else h + (read(h) - h).detach(), turned)

        return torch.stack([state[0] for state in self.steps(u, product, bias)])

    def outputs_and_memory(
        self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """h of every step as from `differentiable`, and what is kept from step to step at full width, for
        calibration."""
        turned = w.transpose(1, 2)
        by_step = self.steps(u, lambda h: torch.bmm(h, turned), bias)
        h, *others = (torch.stack(values) for values in zip(*by_step, strict=True))
        return h, torch.cat(others, -1) if others else h

    def steps(
        self,
        u: torch.Tensor,
        product: Callable[[torch.Tensor], torch.Tensor],
        bias: torch.Tensor,
        roundings: StepRoundings | None = None,
        initial: Tensors | None = None,
    ) -> Iterator[Tensors]:
        """The states after each step of u (T, D, B, G·C), from `initial` ones (D, B, C) or from zero on. `product`
        makes a (D, B, G·C) of h (D, B, C). Raises InputError for a step that does not return what it must."""
        roundings = roundings or StepRoundings()
        shape = (*u.shape[1:-1], u.shape[-1] // self.gates)
        state: Tensors = initial or tuple(u.new_zeros(shape) for _ in range(self.states))
        for t, frame in enumerate(u):
            state = self.step(frame, product(state[0]), bias, state, roundings)
            if t == 0 and [getattr(value, "shape", None) for value in state] != [shape] * self.states:
                shapes = ", ".join(str(tuple(getattr(value, "shape", ()))) for value in state)
                raise InputError(
                    f"cell {self.name}: step returns values of shape {shapes}: it must return {self.states} of {shape}"
                )
            yield state

    def layer_sites(self, layer: int, inputs: int, cells: int, directions: int = DIRECTIONS) -> tuple[Site, ...]:
        """The input matrix and the recurrent one, each with the rows of all directions."""
        rows, time = directions * self.gates * cells, direction_of(directions)
        return (
            Site(f"{self.input_prefix}{layer}", rows, inputs, Role.INPUT, layer, time),
            Site(f"U{layer}", rows, cells, Role.RECURRENT, layer, time),
        )

    def vectors_shape(self, cells: int, directions: int = DIRECTIONS) -> tuple[int, ...]:
        """The biases of the recurrent product (D, R·C)."""
        return directions, self.recurrent_biases * cells

    def vectors_grid(self, vectors: torch.Tensor, sums: Grid) -> Grid:
        """The grid of the sums which they are added to."""
        return sums

    def layer(self, parameters: LayerParameters) -> CellLayer:
        """A layer of these parameters, to be computed."""
        return GatedLayer(self, parameters)

    def trace_layers(
        self, sites: tuple[Site, ...], bits: Bits, steps: int, output_bits: int, elementwise_name: Callable[[str], str]
    ) -> Iterator[TracedLayer]:
        """The input product of all steps, then each direction's recurrent product, a step at a time, with the gates
        behind it. Gates and states are 16-bit fixed point."""
        first, recurrent = sites
        yield TracedLayer(_product(first, first.name, bits, steps, rows=first.out_features), first.name)
        directions = ("f", "b") if recurrent.direction is Direction.BOTH else ("",)
        rows, cells = recurrent.out_features // len(directions), recurrent.in_features
        for number, direction in enumerate(directions):
            name = f"{recurrent.name}{direction}"
            product = _product(recurrent, name, bits, steps, rows, recurrent=True)
            yield TracedLayer(product, recurrent.name, number)
            yield TracedLayer(
                Elementwise(
                    name=elementwise_name(direction), ops={op: count * cells for op, count in self.ops.items()},
                    inputs=2 * rows, outputs=cells, steps=steps, recurrent=True,
                    vector_parameters=self.vector_words * cells, output_bits=output_bits,
                )
            )  # fmt: skip


def _product(site: Site, name: str, bits: Bits, steps: int, rows: int, recurrent: bool = False) -> Matmul:
    """A product of a site, or of one direction's rows, whose results are 16-bit fixed point."""
    weight_bits, activation_bits = bits[site.name]
    return Matmul(
        name=name, out_features=rows, in_features=site.in_features, steps=steps, recurrent=recurrent,
        weight_bits=weight_bits, activation_bits=activation_bits, output_bits=16,
    )  # fmt: skip
