"""The SRU recurrence, fused: everything of a layer that is not a matrix product, in one pass over time.

Per cell, direction and step, with u = W x (three gates) the result of the matrix product (Lei et al. 2018, equations
1-4; no highway, because input and output differ in size, so the output gate scales tanh(c)):

    f = sigmoid(u_f + v_f * c' + b_f)        c' is the state of the step before
    r = sigmoid(u_r + v_r * c' + b_r)
    c = u_x + f * (c' - u_x)
    h = r * tanh(c)

Arrays are time-major: u is (T, B, D, 3, C) with D directions, h and c are (T, B, D, C), vectors are (D, 4, C) in the
order v_f, v_r, b_f, b_r, all float32. Frames at or past an utterance's length are not computed; h is zero there. The
backward direction starts at the last true frame.

Numba was chosen by measurement: `benchmarks/recurrence.py` holds it against a torch loop.
"""

from typing import Any

import numba
import numpy as np
import torch

from quant.arithmetic import kernels


def use_torch_threads() -> None:
    """Numba and torch share the cores: follow the thread count that torch was given, up to Numba's own maximum."""
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    if torch.get_num_threads() != threads:  # when Numba starts its threads it sets OpenMP's number, torch's too
        torch.set_num_threads(threads)


def sru_states(u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs h and states c, (T, B, 2, C) each, without a graph for differentiation."""
    h = torch.empty((*u.shape[:3], u.shape[4]))
    c = torch.empty_like(h)
    use_torch_threads()
    forward = kernels.sru_forward if torch.get_num_threads() > 1 else kernels.sru_forward_alone
    forward(
        u.detach().contiguous().numpy(), vectors.detach().contiguous().numpy(), lengths.numpy(), h.numpy(), c.numpy()
    )
    return h, c


class _SruRecurrence(torch.autograd.Function):
    """The fused passes, in both directions of differentiation."""

    @staticmethod
    def forward(ctx: Any, u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        u = u.contiguous()
        h, c = sru_states(u, vectors, lengths)
        ctx.save_for_backward(u, vectors, lengths, c)
        return h

    @staticmethod
    def backward(ctx: Any, grad_h: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        u, vectors, lengths, c = ctx.saved_tensors
        grad_u = torch.empty_like(u)
        grad_vectors = torch.empty((u.shape[1], *vectors.shape))
        use_torch_threads()
        kernels.sru_backward(
            u.numpy(),
            vectors.detach().contiguous().numpy(),
            lengths.numpy(),
            c.numpy(),
            grad_h.contiguous().numpy(),
            grad_u.numpy(),
            grad_vectors.numpy(),
        )
        return grad_u, grad_vectors.sum(0), None


def sru_recurrence(u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Differentiable recurrence in float32: u (T, B, 2, 3, C), vectors (2, 4, C), lengths (B,) int64 → h (T, B, 2,
    C)."""
    h: torch.Tensor = _SruRecurrence.apply(u, vectors, lengths)
    return h


def sru_recurrence_fixed(
    sums: torch.Tensor,
    scale: torch.Tensor,
    vectors: torch.Tensor,
    lengths: torch.Tensor,
    u_step: float,
    state_step: float,
) -> torch.Tensor:
    """Inference with elementwise work in 16-bit fixed point: each value is a multiple of its step, saturated at 16
    bits.

    `sums` (T, B, 2, 3, C), int32 or float32, times `scale` (2, 3, C) is u. `u_step` is the step of the gates'
    pre-activations and `state_step` that of c; gates and h have 14 fractional bits.
    """
    h = torch.empty((*sums.shape[:3], sums.shape[4]), dtype=torch.int16)
    for d in range(sums.shape[2]):
        kernels.sru_forward_fixed(
            sums[:, :, d].contiguous().numpy(),
            scale[d].contiguous().numpy(),
            vectors.contiguous().numpy(),
            lengths.numpy(),
            h.numpy(),
            d,
            0,
            np.float32(u_step),
            np.float32(state_step),
        )
    return h * kernels.GATE_STEP
