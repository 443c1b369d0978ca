"""GRU (Cho et al. 2014) in the form of cuDNN and torch, whose reset gate stands behind the recurrent product."""

from typing import ClassVar

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.arithmetic.float_arithmetic import Rounding, exactly, read_by_all
from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, rounded_sum, saturated, sigmoid, tanh
from quant.networks.step import FastStep, Fractions, StepRoundings, Tensors
from quant.networks.through_time import CellWithBackward, weight_gradient
from quant.networks.time_order import before


class Gru(CellWithBackward):
    """r, z = sigmoid(W x + U h' + b); n = tanh(W x + b + r (U h' + b')); h = (1 - z) n + z h'. Order of the gates: r,
    z, n."""

    name, title, gates, vector_words, recurrent_biases = "gru", "GRU", 3, 4, 1
    ops: ClassVar = {"add": 8, "multiply": 2, "multiply_add": 1, "sigmoid": 2, "tanh": 1}
    default_layers = 5  # PyTorch-Kaldi's recipe for TIMIT (Ravanelli et al. 2019)

    def step(
        self, u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings
    ) -> Tensors:
        """One step of both directions, rounded."""
        gate, sums = roundings.gate, roundings.sum
        (h,) = state
        cells = h.shape[-1]
        r, z = sums(u[..., : 2 * cells] + a[..., : 2 * cells]).sigmoid().chunk(2, -1)
        r, z = gate(r), gate(z)
        n = gate(sums(u[..., 2 * cells :] + sums(r * sums(a[..., 2 * cells :] + bias[:, None]))).tanh())
        return (gate(gate((1 - z) * n) + z * h),)

    def integer_step(
        self, u: Ints, a: Ints, bias: Ints, state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` in whole numbers."""
        (h,) = state
        cells, sums = h.shape[-1], fractions.sum
        r, z = np.split(sigmoid(saturated(a[..., : 2 * cells] + u[..., : 2 * cells]), sums), 2, -1)
        inner = rounded_sum((r * saturated(a[..., 2 * cells :] + bias), GATE_FRACTION + sums), to=sums)
        n = tanh(saturated(u[..., 2 * cells :] + inner), sums)
        entering = rounded_sum((((1 << GATE_FRACTION) - z) * n, 2 * GATE_FRACTION), to=GATE_FRACTION)
        return (rounded_sum((entering, GATE_FRACTION), (z * h, 2 * GATE_FRACTION), to=GATE_FRACTION),)

    def fast_step(self) -> FastStep:
        """The compiled step."""
        step: FastStep = kernels.gru_step
        return step

    def forward(self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, read: Rounding = exactly) -> Tensors:
        """h, the gates after their functions, and the recurrent product of n with its bias, of every step."""
        cells, wt = w.shape[2], w.transpose(1, 2).contiguous()
        activated, inner = torch.empty_like(u), u.new_empty(*u.shape[:3], cells)
        h_all = torch.empty_like(inner)
        h = u.new_zeros((*u.shape[1:3], cells))
        for t in range(len(u)):
            a = torch.bmm(read(h), wt)
            out = activated[t]
            torch.sigmoid(u[t, ..., : 2 * cells] + a[..., : 2 * cells], out=out[..., : 2 * cells])
            r, z, n = out.chunk(3, -1)
            torch.add(a[..., 2 * cells :], bias[:, None], out=inner[t])
            torch.tanh(torch.addcmul(u[t, ..., 2 * cells :], r, inner[t]), out=n)
            h = torch.lerp(n, h, z)
            h_all[t] = h
        return h_all, activated, inner

    def backward(
        self, grad: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, kept: Tensors, read: Rounding = exactly
    ) -> Tensors:
        """Gradients of u, w and bias."""
        h_all, activated, inner = kept
        r, z, n = activated.chunk(3, -1)
        grad_a, grad_n = torch.empty_like(activated), torch.empty_like(h_all)
        slope_z, slope_n, slope_r = (before(h_all) - n) * z * (1 - z), (1 - z) * (1 - n * n), inner * r * (1 - r)
        grad_h = torch.zeros_like(grad[0])
        for t in range(len(grad) - 1, -1, -1):
            grad_h = grad_h + grad[t]
            torch.mul(grad_h, slope_n[t], out=grad_n[t])
            torch.cat((grad_n[t] * slope_r[t], grad_h * slope_z[t], grad_n[t] * r[t]), -1, out=grad_a[t])
            grad_h = torch.baddbmm(grad_h * z[t], grad_a[t], w)
        cells = h_all.shape[-1]
        grad_u = torch.cat((grad_a[..., : 2 * cells], grad_n), -1)
        return grad_u, weight_gradient(grad_a, read_by_all(read, before(h_all))), grad_a[..., 2 * cells :].sum((0, 2))


GRU = Gru()
