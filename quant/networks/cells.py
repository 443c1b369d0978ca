"""Gated recurrent cells with a recurrent matrix product: LSTM, GRU and Li-GRU, forward and backward through time.

Arrays are time-major with both directions side by side, each in its own order of time: u (T, 2, B, G·C) is the input
product of all steps, w (2, G·C, C) the recurrent weights, h (T, 2, B, C). A step is one batched matrix product and
elementwise work. The graph of a step is never built: `backward` goes through time by hand and leaves the gradient of
the weights to one product over all steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch

Tensors = tuple[torch.Tensor, ...]
Rounding = Callable[[torch.Tensor], torch.Tensor]


def exactly(x: torch.Tensor) -> torch.Tensor:
    """No rounding."""
    return x


class Cell(ABC):
    """What distinguishes one cell from another."""

    name: ClassVar[str]
    gates: ClassVar[int]
    """Rows of the weight matrices a cell."""
    vectors: ClassVar[int]
    """Biases of a cell and direction, as 16-bit words: one a gate, and the recurrent ones."""
    recurrent_biases: ClassVar[int] = 0
    states: ClassVar[int] = 1
    """What a step hands on: h, and LSTM's c."""
    ops: ClassVar[dict[str, int]]
    """Elementwise operations of one cell and step, biases included, counted from the equations."""

    @staticmethod
    @abstractmethod
    def step(u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, gate: Rounding, memory: Rounding,
             sums: Rounding) -> Tensors:  # fmt: skip
        """One step: u (2, B, G·C) with its bias, a = w h of the step before, bias (2, R·C) the recurrent ones, state
        (h, …); returns the next state. The roundings are of gates, of what is kept, and of sums before a gate."""

    @classmethod
    @abstractmethod
    def forward(cls, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, seen: Rounding = exactly) -> Tensors:
        """h of every step, and what `backward` wants. `seen`: what the recurrent product sees of h."""

    @classmethod
    def memory(cls, h: torch.Tensor, kept: Tensors) -> torch.Tensor:
        """What is kept from step to step at full width, from the results of `forward`."""
        return h

    @classmethod
    @abstractmethod
    def backward(
        cls, grad: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, kept: Tensors, seen: Rounding = exactly
    ) -> Tensors:
        """Gradients of u, w and bias from that of h; what `seen` does passes gradients as they are."""


def before(x: torch.Tensor) -> torch.Tensor:
    """The values of the step before; zero before the first."""
    return torch.cat((torch.zeros_like(x[:1]), x[:-1]))


def _weight_gradient(grad_a: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Σ over steps and utterances of grad_a (T, 2, B, M) times the product's inputs (T, 2, B, C): (2, M, C)."""
    a, b = (x.transpose(0, 1).flatten(1, 2) for x in (grad_a, inputs))
    return torch.bmm(a.transpose(1, 2), b)


class Lstm(Cell):
    """Hochreiter and Schmidhuber 1997, with a forget gate: i, f, o = sigmoid, g = tanh of W x + U h' + b;
    c = f c' + i g; h = o tanh(c). Order of the gates: i, f, g, o, as torch has it."""

    name, gates, vectors, states = "lstm", 4, 4, 2
    ops: ClassVar = {"add": 8, "multiply": 2, "multiply_add": 1, "sigmoid": 3, "tanh": 2}

    @staticmethod
    def step(u, a, bias, state, gate, memory, sums):  # type: ignore[no-untyped-def]
        _, c = state
        i, f, g, o = sums(u + a).chunk(4, -1)
        i, f, g, o = gate(i.sigmoid()), gate(f.sigmoid()), gate(g.tanh()), gate(o.sigmoid())
        c = memory(f * c + memory(i * g))
        return gate(o * gate(c.tanh())), c

    @classmethod
    def forward(cls, u, w, bias, seen=exactly):  # type: ignore[no-untyped-def]
        cells, wt = w.shape[2], w.transpose(1, 2).contiguous()
        activated, c_all = torch.empty_like(u), u.new_empty(*u.shape[:3], cells)
        h_all = torch.empty_like(c_all)
        h = c = u.new_zeros((*u.shape[1:3], cells))
        for t in range(len(u)):
            a = torch.baddbmm(u[t], seen(h), wt)
            out = activated[t]
            torch.sigmoid(a, out=out)
            torch.tanh(a[..., 2 * cells : 3 * cells], out=out[..., 2 * cells : 3 * cells])
            i, f, g, o = out.chunk(4, -1)
            c = torch.addcmul(f * c, i, g)
            h = o * c.tanh()
            c_all[t], h_all[t] = c, h
        return h_all, activated, c_all

    @classmethod
    def backward(cls, grad, w, bias, kept, seen=exactly):  # type: ignore[no-untyped-def]
        h_all, activated, c_all = kept
        grad_a = torch.empty_like(activated)
        squashed = c_all.tanh()
        i, f, g, o = activated.chunk(4, -1)
        # What does not depend on the gradients of later steps, for all steps at once.
        of_o = squashed * o * (1 - o)
        of_c = o * (1 - squashed * squashed)
        of_i, of_g, of_f = g * i * (1 - i), i * (1 - g * g), before(c_all) * f * (1 - f)
        grad_h, grad_c = torch.zeros_like(grad[0]), torch.zeros_like(grad[0])
        for t in range(len(grad) - 1, -1, -1):
            grad_h = grad_h + grad[t]
            grad_c = torch.addcmul(grad_c, grad_h, of_c[t])
            torch.cat((grad_c * of_i[t], grad_c * of_f[t], grad_c * of_g[t], grad_h * of_o[t]), -1, out=grad_a[t])
            grad_h = torch.bmm(grad_a[t], w)
            grad_c = grad_c * f[t]
        return grad_a, _weight_gradient(grad_a, seen(before(h_all))), torch.zeros_like(bias)

    @classmethod
    def memory(cls, h, kept):  # type: ignore[no-untyped-def]
        return kept[-1]


class Gru(Cell):
    """Cho et al. 2014 in the form of cuDNN and torch: r, z = sigmoid(W x + U h' + b);
    n = tanh(W x + b + r (U h' + b')); h = (1 - z) n + z h'. Order of the gates: r, z, n."""

    name, gates, vectors, recurrent_biases = "gru", 3, 4, 1
    ops: ClassVar = {"add": 8, "multiply": 2, "multiply_add": 1, "sigmoid": 2, "tanh": 1}

    @staticmethod
    def step(u, a, bias, state, gate, memory, sums):  # type: ignore[no-untyped-def]
        (h,) = state
        cells = h.shape[-1]
        r, z = sums(u[..., : 2 * cells] + a[..., : 2 * cells]).sigmoid().chunk(2, -1)
        r, z = gate(r), gate(z)
        n = gate(sums(u[..., 2 * cells :] + sums(r * sums(a[..., 2 * cells :] + bias[:, None]))).tanh())
        return (gate(gate((1 - z) * n) + z * h),)

    @classmethod
    def forward(cls, u, w, bias, seen=exactly):  # type: ignore[no-untyped-def]
        cells, wt = w.shape[2], w.transpose(1, 2).contiguous()
        activated, inner = torch.empty_like(u), u.new_empty(*u.shape[:3], cells)
        h_all = torch.empty_like(inner)
        h = u.new_zeros((*u.shape[1:3], cells))
        for t in range(len(u)):
            a = torch.bmm(seen(h), wt)
            out = activated[t]
            torch.sigmoid(u[t, ..., : 2 * cells] + a[..., : 2 * cells], out=out[..., : 2 * cells])
            r, z, n = out.chunk(3, -1)
            torch.add(a[..., 2 * cells :], bias[:, None], out=inner[t])
            torch.tanh(torch.addcmul(u[t, ..., 2 * cells :], r, inner[t]), out=n)
            h = torch.lerp(n, h, z)
            h_all[t] = h
        return h_all, activated, inner

    @classmethod
    def backward(cls, grad, w, bias, kept, seen=exactly):  # type: ignore[no-untyped-def]
        h_all, activated, inner = kept
        r, z, n = activated.chunk(3, -1)
        grad_a, grad_n = torch.empty_like(activated), torch.empty_like(h_all)
        of_z, of_n, of_r = (before(h_all) - n) * z * (1 - z), (1 - z) * (1 - n * n), inner * r * (1 - r)
        grad_h = torch.zeros_like(grad[0])
        for t in range(len(grad) - 1, -1, -1):
            grad_h = grad_h + grad[t]
            torch.mul(grad_h, of_n[t], out=grad_n[t])
            torch.cat((grad_n[t] * of_r[t], grad_h * of_z[t], grad_n[t] * r[t]), -1, out=grad_a[t])
            grad_h = torch.baddbmm(grad_h * z[t], grad_a[t], w)
        cells = h_all.shape[-1]
        grad_u = torch.cat((grad_a[..., : 2 * cells], grad_n), -1)
        return grad_u, _weight_gradient(grad_a, seen(before(h_all))), grad_a[..., 2 * cells :].sum((0, 2))


class LiGru(Cell):
    """Ravanelli et al. 2018: no reset gate, ReLU: z = sigmoid(W x + U h' + b), n = relu(W x + U h' + b);
    h = z h' + (1 - z) n. Order of the gates: z, n. Wants a batch-normalised W x."""

    name, gates, vectors = "ligru", 2, 2
    ops: ClassVar = {"add": 5, "multiply": 1, "multiply_add": 1, "sigmoid": 1, "relu": 1}

    @staticmethod
    def step(u, a, bias, state, gate, memory, sums):  # type: ignore[no-untyped-def]
        (h,) = state
        z, n = sums(u + a).chunk(2, -1)
        z, n = gate(z.sigmoid()), memory(n.relu())
        return (memory(memory((1 - z) * n) + z * h),)

    @classmethod
    def forward(cls, u, w, bias, seen=exactly):  # type: ignore[no-untyped-def]
        cells, wt = w.shape[2], w.transpose(1, 2).contiguous()
        activated, h_all = torch.empty_like(u), u.new_empty(*u.shape[:3], cells)
        h = u.new_zeros((*u.shape[1:3], cells))
        for t in range(len(u)):
            a = torch.baddbmm(u[t], seen(h), wt)
            torch.sigmoid(a[..., :cells], out=activated[t, ..., :cells])
            torch.clamp_min(a[..., cells:], 0, out=activated[t, ..., cells:])
            z, n = activated[t].chunk(2, -1)
            h = torch.lerp(n, h, z)
            h_all[t] = h
        return h_all, activated

    @classmethod
    def backward(cls, grad, w, bias, kept, seen=exactly):  # type: ignore[no-untyped-def]
        h_all, activated = kept
        z, n = activated.chunk(2, -1)
        grad_a = torch.empty_like(activated)
        of_z, of_n = (before(h_all) - n) * z * (1 - z), (1 - z) * (n > 0)
        grad_h = torch.zeros_like(grad[0])
        for t in range(len(grad) - 1, -1, -1):
            grad_h = grad_h + grad[t]
            torch.cat((grad_h * of_z[t], grad_h * of_n[t]), -1, out=grad_a[t])
            grad_h = torch.baddbmm(grad_h * z[t], grad_a[t], w)
        return grad_a, _weight_gradient(grad_a, seen(before(h_all))), torch.zeros_like(bias)


CELLS: dict[str, type[Cell]] = {cell.name: cell for cell in (Lstm, Gru, LiGru)}


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, cell: type[Cell], u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, seen: Rounding
    ) -> torch.Tensor:
        ctx.cell, ctx.seen = cell, seen
        h, *kept = cell.forward(u, w, bias, seen)
        ctx.save_for_backward(w, bias, h, *kept)
        return h

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        w, bias, *kept = ctx.saved_tensors
        return None, *ctx.cell.backward(grad.contiguous(), w, bias, tuple(kept), ctx.seen), None


def recurrence(
    cell: type[Cell], u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, seen: Rounding = exactly
) -> torch.Tensor:
    """Differentiable: u (T, 2, B, G·C), w (2, G·C, C), bias (2, R·C) of the recurrent products → h (T, 2, B, C). The
    recurrent product sees h through `seen`, which passes gradients straight through."""
    return _Recurrence.apply(cell, u, w, bias, seen)


def turned(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Every utterance's true frames of x (T, B, …) in reverse order; what lies behind them is left where it is."""
    steps = torch.arange(len(x))[:, None]
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return x[order, torch.arange(x.shape[1])]
