"""A new cell: the minimal gated unit (Zhou et al. 2016), its gate behind the recurrent product as GRU's is in cuDNN.

    f = sigmoid(W x + U h' + b)    n = tanh(W x + b + f (U h'))    h = (1 - f) h' + f n

mohaq train --cell mgu --small --out runs/mgu --plugin docs/examples/minimal_gated_unit.py
"""

import numpy as np
import torch

from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, rounded_sum, saturated, sigmoid, tanh
from quant.networks.gated import GatedCell
from quant.networks.registry import register_cell
from quant.networks.step import Fractions, StepRoundings, Tensors


class MinimalGatedUnit(GatedCell):
    """Order of the gates: f, n."""

    name, title = "mgu", "minimal gated unit"
    gates, vector_words = 2, 2  # rows of the matrices, and biases, of one cell and direction
    # Of one cell and step, for the simulators: two biases and three sums, f (U h') and (1 - f) h', + f n.
    ops = {"add": 5, "multiply": 2, "multiply_add": 1, "sigmoid": 1, "tanh": 1}  # noqa: RUF012

    def step(
        self, u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings
    ) -> Tensors:
        """u = W x + b, a = U h', state (h',): the next state. What hardware holds in 16 bits is rounded."""
        gate, total = roundings.gate, roundings.sum
        (h,) = state
        u_f, u_n = u.chunk(2, -1)
        a_f, a_n = a.chunk(2, -1)
        f = gate(total(u_f + a_f).sigmoid())
        n = gate(total(u_n + total(f * a_n)).tanh())
        return (gate(gate((1 - f) * h) + f * n),)

    def integer_step(
        self, u: Ints, a: Ints, bias: Ints, state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` in whole numbers, for `mohaq evaluate --integer`; a cell can do without it."""
        (h,) = state
        (u_f, u_n), (a_f, a_n), sums = np.split(u, 2, -1), np.split(a, 2, -1), fractions.sum
        f = sigmoid(saturated(u_f + a_f), sums)
        inner = rounded_sum((f * a_n, GATE_FRACTION + sums), to=sums)
        n = tanh(saturated(u_n + inner), sums)
        kept = rounded_sum((((1 << GATE_FRACTION) - f) * h, 2 * GATE_FRACTION), to=GATE_FRACTION)
        return (rounded_sum((kept, GATE_FRACTION), (f * n, 2 * GATE_FRACTION), to=GATE_FRACTION),)


register_cell(MinimalGatedUnit())
