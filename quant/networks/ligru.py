"""Li-GRU (Ravanelli et al. 2018): no reset gate, and ReLU in place of tanh."""

from typing import ClassVar

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.arithmetic.float_arithmetic import Rounding, exactly, read_by_all
from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, rescaled, rounded_sum, saturated, sigmoid
from quant.networks.step import FastStep, Fractions, StepRoundings, Tensors
from quant.networks.through_time import CellWithBackward, weight_gradient
from quant.networks.time_order import before


class LiGru(CellWithBackward):
    """z = sigmoid(W x + U h' + b), n = relu(W x + U h' + b); h = (1 - z) n + z h'. Order of the gates: z, n."""

    name, title, gates, vector_words, bounded = "ligru", "Li-GRU", 2, 2, False
    ops: ClassVar = {"add": 5, "multiply": 1, "multiply_add": 1, "sigmoid": 1, "relu": 1}
    default_layers = 5  # PyTorch-Kaldi's recipe for TIMIT (Ravanelli et al. 2019)

    def step(
        self, u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings
    ) -> Tensors:
        """One step of both directions, rounded."""
        memory = roundings.memory
        (h,) = state
        z, n = roundings.sum(u + a).chunk(2, -1)
        z, n = roundings.gate(z.sigmoid()), memory(n.relu())
        return (memory(memory((1 - z) * n) + z * h),)

    def integer_step(
        self, u: Ints, a: Ints, bias: Ints, state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` in whole numbers."""
        (h,) = state
        memory = fractions.memory
        z, n = np.split(saturated(a + u), 2, -1)
        z, n = sigmoid(z, fractions.sum), saturated(rescaled(np.maximum(n, 0), fractions.sum, memory))
        entering = rounded_sum((((1 << GATE_FRACTION) - z) * n, GATE_FRACTION + memory), to=memory)
        return (rounded_sum((entering, memory), (z * h, GATE_FRACTION + memory), to=memory),)

    def fast_step(self) -> FastStep:
        """The compiled step."""
        step: FastStep = kernels.ligru_step
        return step

    def forward(self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, read: Rounding = exactly) -> Tensors:
        """h, and the gates after their functions, of every step."""
        cells, wt = w.shape[2], w.transpose(1, 2).contiguous()
        activated, h_all = torch.empty_like(u), u.new_empty(*u.shape[:3], cells)
        h = u.new_zeros((*u.shape[1:3], cells))
        for t in range(len(u)):
            a = torch.baddbmm(u[t], read(h), wt)
            torch.sigmoid(a[..., :cells], out=activated[t, ..., :cells])
            torch.clamp_min(a[..., cells:], 0, out=activated[t, ..., cells:])
            z, n = activated[t].chunk(2, -1)
            h = torch.lerp(n, h, z)
            h_all[t] = h
        return h_all, activated

    def backward(
        self, grad: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, kept: Tensors, read: Rounding = exactly
    ) -> Tensors:
        """Gradients of u, w and bias."""
        h_all, activated = kept
        z, n = activated.chunk(2, -1)
        grad_a = torch.empty_like(activated)
        slope_z, slope_n = (before(h_all) - n) * z * (1 - z), (1 - z) * (n > 0)
        grad_h = torch.zeros_like(grad[0])
        for t in range(len(grad) - 1, -1, -1):
            grad_h = grad_h + grad[t]
            torch.cat((grad_h * slope_z[t], grad_h * slope_n[t]), -1, out=grad_a[t])
            grad_h = torch.baddbmm(grad_h * z[t], grad_a[t], w)
        return grad_a, weight_gradient(grad_a, read_by_all(read, before(h_all))), torch.zeros_like(bias)


LIGRU = LiGru()
