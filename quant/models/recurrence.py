"""The SRU recurrence, fused: everything of a layer that is not a matrix product, in one pass over time.

Per cell, direction and step, with u = W x (three gates) the result of the matrix product (Lei et al. 2018, equations
1-4; no highway, because input and output differ in size, so the output gate scales tanh(c)):

    f = sigmoid(u_f + v_f * c' + b_f)        c' is the state of the step before
    r = sigmoid(u_r + v_r * c' + b_r)
    c = u_x + f * (c' - u_x)
    h = r * tanh(c)

The state of a cell depends on that cell alone, so the loops run over cells innermost (contiguous, SIMD) and over
(utterance, direction) in parallel; a result never depends on the number of threads. Arrays are time-major: u is (T,
B, 2, 3, C), h and c are (T, B, 2, C), vectors are (2, 4, C) in the order v_f, v_r, b_f, b_r, all float32. Frames at
or past an utterance's length are not computed; h is zero there. The backward direction starts at the last true frame.

Numba was chosen by measurement: `benchmarks/recurrence.py` holds it against a torch loop.
"""

import numba
import numpy as np
import torch

# 16-bit fixed point of gates and outputs, which lie in [-1, 1]: 14 fractional bits (MOHAQ; reference code of Rezk et
# al. 2022).
GATE_STEP = 2.0**-14
INT16_MIN, INT16_MAX = -32768.0, 32767.0

_kernel = numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")
_inline = numba.njit(fastmath=True, inline="always", error_model="numpy")


@_inline
def tanh_of_twice(y):
    """tanh(2y), relative error below 1e-6 in float32: the seventh convergent N/D of Lambert's continued fraction y/(1
    + y²/(3 + y²/(5 + …))), doubled by tanh 2y = 2ND/(N² + D²). One division and no branch, so that it vectorises."""
    y = min(max(y, np.float32(-4.5)), np.float32(4.5))
    s = y * y
    n = y * (np.float32(135135.0) + s * (np.float32(17325.0) + s * (np.float32(378.0) + s)))
    d = np.float32(135135.0) + s * (np.float32(62370.0) + s * (np.float32(3150.0) + s * np.float32(28.0)))
    return np.float32(2.0) * n * d / (n * n + d * d)


@_inline
def fast_tanh(x):
    return tanh_of_twice(np.float32(0.5) * x)


@_inline
def fast_sigmoid(x):
    return np.float32(0.5) + np.float32(0.5) * tanh_of_twice(np.float32(0.25) * x)


@_inline
def to_fixed(x, step, reciprocal):
    """Round to the nearest multiple of `step` (ties to even), saturating as a signed 16-bit word does."""
    return min(max(np.rint(x * reciprocal), np.float32(INT16_MIN)), np.float32(INT16_MAX)) * step


@_kernel
def _forward(u, vectors, lengths, h, c):
    steps, batch = u.shape[0], u.shape[1]
    cells = u.shape[4]
    for lane in numba.prange(batch * 2):
        b, d = lane // 2, lane % 2
        state = np.zeros(cells, dtype=np.float32)
        n = lengths[b]
        for i in range(n):
            t = i if d == 0 else n - 1 - i
            for j in range(cells):
                previous = state[j]
                f = fast_sigmoid(u[t, b, d, 1, j] + vectors[d, 0, j] * previous + vectors[d, 2, j])
                r = fast_sigmoid(u[t, b, d, 2, j] + vectors[d, 1, j] * previous + vectors[d, 3, j])
                x = u[t, b, d, 0, j]
                new = x + f * (previous - x)
                state[j] = new
                c[t, b, d, j] = new
                h[t, b, d, j] = r * fast_tanh(new)
        for t in range(n, steps):
            for j in range(cells):
                c[t, b, d, j] = 0.0
                h[t, b, d, j] = 0.0


@_kernel
def _backward(u, vectors, lengths, c, grad_h, grad_u, grad_vectors):
    """grad_vectors is (B, 2, 4, C): summed over B by the caller, in a fixed order."""
    steps, batch = u.shape[0], u.shape[1]
    cells = u.shape[4]
    for lane in numba.prange(batch * 2):
        b, d = lane // 2, lane % 2
        carry = np.zeros(cells, dtype=np.float32)
        zeros = np.zeros(cells, dtype=np.float32)
        grad_vectors[b, d, :, :] = 0.0
        n = lengths[b]
        for i in range(n):
            t = n - 1 - i if d == 0 else i
            before = t - 1 if d == 0 else t + 1
            first = i == n - 1
            previous_state = zeros if first else c[before, b, d]
            for j in range(cells):
                previous = previous_state[j]
                x = u[t, b, d, 0, j]
                f = fast_sigmoid(u[t, b, d, 1, j] + vectors[d, 0, j] * previous + vectors[d, 2, j])
                r = fast_sigmoid(u[t, b, d, 2, j] + vectors[d, 1, j] * previous + vectors[d, 3, j])
                squashed = fast_tanh(c[t, b, d, j])
                g = grad_h[t, b, d, j]
                grad_c = carry[j] + g * r * (np.float32(1.0) - squashed * squashed)
                grad_r = g * squashed * r * (np.float32(1.0) - r)
                grad_f = grad_c * (previous - x) * f * (np.float32(1.0) - f)
                grad_u[t, b, d, 0, j] = grad_c * (np.float32(1.0) - f)
                grad_u[t, b, d, 1, j] = grad_f
                grad_u[t, b, d, 2, j] = grad_r
                carry[j] = grad_c * f + grad_f * vectors[d, 0, j] + grad_r * vectors[d, 1, j]
                grad_vectors[b, d, 0, j] += grad_f * previous
                grad_vectors[b, d, 1, j] += grad_r * previous
                grad_vectors[b, d, 2, j] += grad_f
                grad_vectors[b, d, 3, j] += grad_r
        for t in range(n, steps):
            grad_u[t, b, d] = 0.0


@_kernel
def _forward_fixed(u, vectors, lengths, h, u_step, state_step):
    """As `_forward`, with u, the state, the gates and the output held as 16-bit fixed point (`vectors` are so
    already)."""
    steps, batch = u.shape[0], u.shape[1]
    cells = u.shape[4]
    gate_step, per_gate_step = np.float32(GATE_STEP), np.float32(1.0 / GATE_STEP)
    per_u_step, per_state_step = np.float32(1.0 / u_step), np.float32(1.0 / state_step)
    for lane in numba.prange(batch * 2):
        b, d = lane // 2, lane % 2
        state = np.zeros(cells, dtype=np.float32)
        n = lengths[b]
        for i in range(n):
            t = i if d == 0 else n - 1 - i
            for j in range(cells):
                previous = state[j]
                x = to_fixed(u[t, b, d, 0, j], u_step, per_u_step)
                a_f = to_fixed(u[t, b, d, 1, j], u_step, per_u_step)
                a_r = to_fixed(u[t, b, d, 2, j], u_step, per_u_step)
                a_f = to_fixed(a_f + vectors[d, 0, j] * previous + vectors[d, 2, j], u_step, per_u_step)
                a_r = to_fixed(a_r + vectors[d, 1, j] * previous + vectors[d, 3, j], u_step, per_u_step)
                f = to_fixed(fast_sigmoid(a_f), gate_step, per_gate_step)
                r = to_fixed(fast_sigmoid(a_r), gate_step, per_gate_step)
                new = to_fixed(x + f * (previous - x), state_step, per_state_step)
                state[j] = new
                squashed = to_fixed(fast_tanh(new), gate_step, per_gate_step)
                h[t, b, d, j] = to_fixed(r * squashed, gate_step, per_gate_step)
        for t in range(n, steps):
            for j in range(cells):
                h[t, b, d, j] = 0.0


def _use_torch_threads() -> None:
    """Numba and torch share the cores: follow the thread count that torch was given, up to Numba's own maximum."""
    numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


def sru_states(u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs h and states c, (T, B, 2, C) each, without a graph for differentiation."""
    h = torch.empty((*u.shape[:3], u.shape[4]))
    c = torch.empty_like(h)
    _use_torch_threads()
    _forward(
        u.detach().contiguous().numpy(), vectors.detach().contiguous().numpy(), lengths.numpy(), h.numpy(), c.numpy()
    )
    return h, c


class _SruRecurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, vectors, lengths):  # type: ignore[no-untyped-def]
        u = u.contiguous()
        h, c = sru_states(u, vectors, lengths)
        ctx.save_for_backward(u, vectors, lengths, c)
        return h

    @staticmethod
    def backward(ctx, grad_h):  # type: ignore[no-untyped-def]
        u, vectors, lengths, c = ctx.saved_tensors
        grad_u = torch.empty_like(u)
        grad_vectors = torch.empty((u.shape[1], *vectors.shape))
        _use_torch_threads()
        _backward(
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
    return _SruRecurrence.apply(u, vectors, lengths)


def sru_recurrence_fixed(
    u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor, u_step: float, state_step: float
) -> torch.Tensor:
    """Inference with elementwise work in 16-bit fixed point: each value is a multiple of its step, saturated at 16
    bits.

    `u_step` is the step of the gates' pre-activations and `state_step` that of c; gates and h have 14 fractional bits.
    """
    h = torch.empty((*u.shape[:3], u.shape[4]))
    _use_torch_threads()
    _forward_fixed(
        u.contiguous().numpy(),
        vectors.contiguous().numpy(),
        lengths.numpy(),
        h.numpy(),
        np.float32(u_step),
        np.float32(state_step),
    )
    return h
