"""LSTM with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""

from typing import ClassVar

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.arithmetic.float_arithmetic import Rounding, exactly, read_by_all
from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, rounded_sum, saturated, sigmoid, tanh
from quant.networks.step import FastStep, Fractions, StepRoundings, Tensors
from quant.networks.through_time import CellWithBackward, weight_gradient
from quant.networks.time_order import before


class Lstm(CellWithBackward):
    """i, f, o = sigmoid, g = tanh of W x + U h' + b; c = f c' + i g; h = o tanh(c). Order of the gates: i, f, g, o, as
    torch has it."""

    name, title, gates, vector_words, states = "lstm", "LSTM", 4, 4, 2
    ops: ClassVar = {"add": 8, "multiply": 2, "multiply_add": 1, "sigmoid": 3, "tanh": 2}
    default_layers = 4  # PyTorch-Kaldi's recipe for TIMIT (Ravanelli et al. 2019)

    def step(
        self, u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings
    ) -> Tensors:
        """One step of both directions, rounded."""
        gate, memory = roundings.gate, roundings.memory
        _, c = state
        i, f, g, o = roundings.sum(u + a).chunk(4, -1)
        i, f, g, o = gate(i.sigmoid()), gate(f.sigmoid()), gate(g.tanh()), gate(o.sigmoid())
        c = memory(f * c + memory(i * g))
        return gate(o * gate(c.tanh())), c

    def integer_step(
        self, u: Ints, a: Ints, bias: Ints, state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` in whole numbers."""
        _, c = state
        sums, memory = fractions.sum, fractions.memory
        i, f, g, o = np.split(saturated(a + u), 4, -1)
        i, f, g, o = sigmoid(i, sums), sigmoid(f, sums), tanh(g, sums), sigmoid(o, sums)
        entering = rounded_sum((i * g, 2 * GATE_FRACTION), to=memory)
        c = rounded_sum((f * c, GATE_FRACTION + memory), (entering, memory), to=memory)
        return rounded_sum((o * tanh(c, memory), 2 * GATE_FRACTION), to=GATE_FRACTION), c

    def fast_step(self) -> FastStep:
        """The compiled step."""
        step: FastStep = kernels.lstm_step
        return step

    def forward(self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, read: Rounding = exactly) -> Tensors:
        """h, the gates after their functions, and c, of every step."""
        cells, wt = w.shape[2], w.transpose(1, 2).contiguous()
        activated, c_all = torch.empty_like(u), u.new_empty(*u.shape[:3], cells)
        h_all = torch.empty_like(c_all)
        h = c = u.new_zeros((*u.shape[1:3], cells))
        for t in range(len(u)):
            a = torch.baddbmm(u[t], read(h), wt)
            out = activated[t]
            torch.sigmoid(a, out=out)
            torch.tanh(a[..., 2 * cells : 3 * cells], out=out[..., 2 * cells : 3 * cells])
            i, f, g, o = out.chunk(4, -1)
            c = torch.addcmul(f * c, i, g)
            h = o * c.tanh()
            c_all[t], h_all[t] = c, h
        return h_all, activated, c_all

    def backward(
        self, grad: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, kept: Tensors, read: Rounding = exactly
    ) -> Tensors:
        """Gradients of u, w and bias."""
        h_all, activated, c_all = kept
        grad_a = torch.empty_like(activated)
        squashed = c_all.tanh()
        i, f, g, o = activated.chunk(4, -1)
        # What does not depend on the gradients of later steps, for all steps at once.
        slope_o = squashed * o * (1 - o)
        slope_c = o * (1 - squashed * squashed)
        slope_i, slope_g, slope_f = g * i * (1 - i), i * (1 - g * g), before(c_all) * f * (1 - f)
        grad_h, grad_c = torch.zeros_like(grad[0]), torch.zeros_like(grad[0])
        for t in range(len(grad) - 1, -1, -1):
            grad_h = grad_h + grad[t]
            grad_c = torch.addcmul(grad_c, grad_h, slope_c[t])
            torch.cat(
                (grad_c * slope_i[t], grad_c * slope_f[t], grad_c * slope_g[t], grad_h * slope_o[t]), -1, out=grad_a[t]
            )
            grad_h = torch.bmm(grad_a[t], w)
            grad_c = grad_c * f[t]
        return grad_a, weight_gradient(grad_a, read_by_all(read, before(h_all))), torch.zeros_like(bias)

    def memory(self, kept: Tensors) -> torch.Tensor:
        """c of every step."""
        return kept[-1]


LSTM = Lstm()
