"""Numba kernels of inference and training: encoding, rescaling, and everything of a recurrence that is not a matrix
product. All in one module, because a cached kernel does not notice an edit in another.

Kernels of training run on all threads, those of inference on one, beside which others run
(`quant.evaluation.threads.in_threads`). Lanes (utterance and direction, or rows of a matrix) do not depend on each
other, so that a result never depends on the number of threads. Cells are innermost: contiguous, so that the loops
vectorise."""

import numba
import numpy as np

from simulators.inputs.jit import as_python, compiled

# 16-bit fixed point of gates and outputs, which lie in [-1, 1]: 14 fractional bits (MOHAQ; reference code of Rezk et
# al. 2022).
GATE_STEP = 2.0**-14
INT16_MIN, INT16_MAX = -32768.0, 32767.0


def _fast(function, **options):
    """Sums may be put together in another order, and division by zero is no error."""
    return compiled(function, **{"fastmath": True, "error_model": "numpy", **options})


def _exact(function, **options):
    """Sums as they are written: equal bits however the compiler comes by its code, with threads or without."""
    return _fast(function, **{"fastmath": False, **options})


def _parallel(function):
    """Compile for all threads that Numba has, with Python's lock held: not every threading layer lets two such kernels
    run. `_exact`, for the code of a parallel loop is optimised twice, for the process that compiles it and for the
    cache: free to fuse operations, the two differed in last bits, and a training in its weights."""
    return _exact(function, parallel=True, nogil=False)


_serial = _fast
"""Compiles for one thread, beside which others run."""

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
def to_code(x):
    """Round to the nearest whole number (ties to even), saturating as a signed 16-bit word does."""
    return min(max(np.rint(x), np.float32(INT16_MIN)), np.float32(INT16_MAX))


@_inline
def to_fixed(x, step, reciprocal):
    """Round to the nearest multiple of `step` (ties to even), saturating as a signed 16-bit word does."""
    return to_code(x * reciprocal) * step


# tanh(y) ≈ y·(N0 + N1 y² + N2 y⁴ + N3 y⁶)/(1 + D1 y² + D2 y⁴ + D3 y⁶): the fit of least absolute error, 1.5e-7, up to
# 5.6, where the nearest multiple of 2^-14 is 1 already. Cheaper than `tanh_of_twice`, which training wants smooth.
TANH_END = 5.6
_N = (9.99999261e-01, 1.24727843e-01, 2.43535599e-03, 4.75061652e-06)
_D = (4.58058204e-01, 2.17915842e-02, 1.60256326e-04)
TANH_NUMERATOR = _N0, _N1, _N2, _N3 = tuple(np.float32(n / GATE_STEP) for n in _N)
TANH_DENOMINATOR = _D1, _D2, _D3 = tuple(np.float32(d) for d in _D)


@_inline
def tanh_code(y):
    """tanh(y) in gate steps, rounded to the nearest (or to the other of the two, where they are as near to 1e-2)."""
    y = min(max(y, np.float32(-TANH_END)), np.float32(TANH_END))
    s = y * y
    n = y * (_N0 + s * (_N1 + s * (_N2 + s * _N3)))
    return np.rint(n / (np.float32(1.0) + s * (_D1 + s * (_D2 + s * _D3))))


# sigmoid(x) = 1/2 + tanh(x/2)/2: the same fit with the halves in its coefficients.
SIGMOID_NUMERATOR = _P0, _P1, _P2, _P3 = tuple(np.float32(n / GATE_STEP / 4.0 / 4.0**k) for k, n in enumerate(_N))
SIGMOID_DENOMINATOR = _Q1, _Q2, _Q3 = tuple(np.float32(d / 4.0**k) for k, d in enumerate(_D, 1))


@_inline
def _sigmoid_of(x, coefficients):
    p0, p1, p2, p3, q1, q2, q3 = coefficients
    s = x * x
    p = x * (p0 + s * (p1 + s * (p2 + s * p3)))
    return np.rint(np.float32(0.5 / GATE_STEP) + p / (np.float32(1.0) + s * (q1 + s * (q2 + s * q3))))


@_inline
def sigmoid_code(x):
    """sigmoid(x) in gate steps, as near as `tanh_code` is."""
    x = min(max(x, np.float32(-2.0 * TANH_END)), np.float32(2.0 * TANH_END))
    return _sigmoid_of(x, (_P0, _P1, _P2, _P3, _Q1, _Q2, _Q3))


@_parallel
def sru_forward(u, vectors, lengths, h, c):
    steps, batch = u.shape[0], u.shape[1]
    cells = u.shape[4]
    for lane in numba.prange(batch * u.shape[2]):
        b, d = lane // u.shape[2], lane % u.shape[2]
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


# Several threads may each run one of these, which not every threading layer of Numba allows for parallel kernels.
sru_forward_alone = _exact(as_python(sru_forward, "sru_forward_alone"))


@_parallel
def sru_backward(u, vectors, lengths, c, grad_h, grad_u, grad_vectors):
    """grad_vectors is (B, D, 4, C): summed over B by the caller, in a fixed order."""
    steps, batch = u.shape[0], u.shape[1]
    cells = u.shape[4]
    for lane in numba.prange(batch * u.shape[2]):
        b, d = lane // u.shape[2], lane % u.shape[2]
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


@_serial
def sru_forward_fixed(sums, scale, vectors, lengths, h, direction, first, u_step, state_step):
    """The pass of `sru_forward` for one direction and its cells from `first` on, with u = sums · scale, where u, the
    state, the gates and the output are held as 16-bit fixed point (`vectors` (2, 4, C) are so already): h (T, B, 2, C)
    int16 in gate steps.

    sums (T, B, 3, W) and scale (3, W) may be wider than there are cells left, so that W can fill whole machine words.
    Values are counted in their steps, which are powers of two: that they are is a matter of constants, not of time."""
    width = sums.shape[3]
    cells = min(width, h.shape[3] - first)
    gate_step = np.float32(GATE_STEP)
    u_step, state_step = np.float32(u_step), np.float32(state_step)  # float64 would halve the speed
    per_u_step = np.float32(1.0) / u_step
    state_in_u, u_in_state = state_step * per_u_step, u_step / state_step
    scale_x, scale_f, scale_r = scale[0] * per_u_step, scale[1] * per_u_step, scale[2] * per_u_step
    own = np.zeros((4, width), np.float32)
    own[:, :cells] = vectors[direction, :, first : first + cells]
    v_f, v_r = own[0] * state_in_u, own[1] * state_in_u
    b_f, b_r = own[2] * per_u_step, own[3] * per_u_step
    # A gate's sum is held in 16 bits and then cut off where the sigmoid ends: one cut, and its step in coefficients.
    end, square = np.float32(2.0 * TANH_END) * per_u_step, u_step * u_step
    low, high = max(np.float32(INT16_MIN), -end), min(np.float32(INT16_MAX), end)
    p1, p2, p3 = _P1 * square, _P2 * square**2, _P3 * square**3
    sigmoid = (_P0 * u_step, p1 * u_step, p2 * u_step, p3 * u_step, _Q1 * square, _Q2 * square**2, _Q3 * square**3)
    state, output = np.zeros(width, np.float32), np.zeros(width, np.float32)
    forget, reset = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for b in range(sums.shape[1]):
        state[:] = np.float32(0.0)
        n = lengths[b]
        for i in range(n):
            t = i if direction == 0 else n - 1 - i
            for j in range(width):
                a_f = to_code(np.float32(sums[t, b, 1, j]) * scale_f[j])
                a_r = to_code(np.float32(sums[t, b, 2, j]) * scale_r[j])
                a_f = min(max(np.rint(a_f + v_f[j] * state[j] + b_f[j]), low), high)
                a_r = min(max(np.rint(a_r + v_r[j] * state[j] + b_r[j]), low), high)
                forget[j] = _sigmoid_of(a_f, sigmoid) * gate_step
                reset[j] = _sigmoid_of(a_r, sigmoid) * gate_step
            for j in range(width):  # a loop of its own: in a shorter one, more of its steps are under way at a time
                x = to_code(np.float32(sums[t, b, 0, j]) * scale_x[j]) * u_in_state
                new = to_code(x + forget[j] * (state[j] - x))
                state[j] = new
                output[j] = np.rint(reset[j] * tanh_code(new * state_step))
            row = h[t, b, direction, first : first + cells]  # an index first + j might be negative: not vectorised
            for j in range(cells):
                row[j] = np.int16(np.int32(output[j]))
        for t in range(n, sums.shape[0]):
            for j in range(cells):
                h[t, b, direction, first + j] = 0


@_serial
def encode8(x, reciprocal, lowest, highest, codes):
    """Codes of at most 8 bits of x (N, K), float32 or int16: round(x · reciprocal), ties to even, saturated."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            codes[i, j] = np.int8(min(max(np.rint(np.float32(x[i, j]) * reciprocal), lowest), highest))


@_serial
def encode16(x, reciprocal, high, low):
    """16-bit codes k of x (N, K), float32 or int16, as two bytes: k = 256 · high + low + 128, each in [-128, 127]."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            code = np.int32(to_code(np.float32(x[i, j]) * reciprocal))
            high[i, j] = np.int8(code >> 8)
            low[i, j] = np.int8((code & 255) - 128)


@_exact  # what is not a number does not fit
def to_words(x, per_step, words):
    """x (N,) float32 in steps, as int16, if all of it is whole numbers of them that fit."""
    per_step, fits = np.float32(per_step), True
    for i in range(len(x)):
        code = to_code(x[i] * per_step)
        fits &= code == x[i] * per_step
        words[i] = np.int16(np.int32(code))
    return fits


@_serial
def combine_two(upper, lower, offset, result):
    """256 · upper + lower + offset[j] of int32 sums (N, M), exact in float64 before it is rounded to float32."""
    for i in range(upper.shape[0]):
        for j in range(upper.shape[1]):
            result[i, j] = np.float32(256.0 * upper[i, j] + lower[i, j] + offset[j])


@_serial
def combine_four(upper, middle, other, lower, offset, result):
    """256² · upper + 256 · (middle + other) + lower + offset[j], held as by `combine_two`."""
    for i in range(upper.shape[0]):
        for j in range(upper.shape[1]):
            both = np.float64(middle[i, j]) + np.float64(other[i, j])
            result[i, j] = np.float32(65536.0 * upper[i, j] + 256.0 * both + lower[i, j] + offset[j])


@_serial
def requantize(sums, scale, bias, step, result):
    """16-bit fixed point of sums (N, M) · scale (M,) + bias (M,), the bias a multiple of the step already."""
    reciprocal = np.float32(1.0 / step)
    step = np.float32(step)
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            result[i, j] = to_fixed(np.float32(sums[i, j]) * scale[j] + bias[j], step, reciprocal)


@_serial
def hold(codes, lengths, threshold, sent):
    """Delta networks (Neil et al. 2017): replace, in place, each code of (T, B, K) by the last one transmitted where it
    is no further than `threshold` from it (zero before the first frame); note in sent (T, B, K) bool, all false before,
    those that were transmitted."""
    cells = codes.shape[2]
    for b in range(codes.shape[1]):
        held = np.zeros(cells, np.int32)
        for t in range(lengths[b]):
            for j in range(cells):
                code = np.int32(codes[t, b, j])
                changed = abs(code - held[j]) > threshold
                held[j] = code if changed else held[j]
                sent[t, b, j] = changed
                codes[t, b, j] = held[j]


@_inline
def _fixed_sum(sums, scale, step, reciprocal):
    return to_fixed(np.float32(sums) * scale, step, reciprocal)


@_inline
def _frame(t, direction, length):
    """The frame that a direction reads at its step t of an utterance."""
    return t if direction == 0 else length - 1 - t


@_serial
def lstm_step(forward, backward, scale, u, t, order, lengths, bias, h, c, out, sum_step, state_step):
    """Step t of LSTM for the first n utterances in `order`, longest first: sums (n, 4, C) of each direction's recurrent
    product (`backward` is not read where there is one direction), scale (D, 4, C), u (T, B, D, 4, C), lengths (B,) in
    frames, h and c (D, B, C) of the step before, in that order, replaced, and out (T, B, D, C), which gets h. See
    `quant.networks.lstm.Lstm.step`."""
    n, cells = len(forward), h.shape[2]
    gate, per_gate = np.float32(GATE_STEP), np.float32(1.0 / GATE_STEP)
    per_sum, per_state = np.float32(1.0 / sum_step), np.float32(1.0 / state_step)
    for lane in range(h.shape[0] * n):
        d, b = lane // n, lane % n
        frame, utterance = _frame(t, d, lengths[order[b]]), order[b]
        sums, w, x = forward[b] if d == 0 else backward[b], scale[d], u[frame, utterance, d]
        for j in range(cells):
            a_i = _fixed_sum(sums[0, j], w[0, j], sum_step, per_sum) + to_fixed(x[0, j], sum_step, per_sum)
            a_f = _fixed_sum(sums[1, j], w[1, j], sum_step, per_sum) + to_fixed(x[1, j], sum_step, per_sum)
            a_g = _fixed_sum(sums[2, j], w[2, j], sum_step, per_sum) + to_fixed(x[2, j], sum_step, per_sum)
            a_o = _fixed_sum(sums[3, j], w[3, j], sum_step, per_sum) + to_fixed(x[3, j], sum_step, per_sum)
            i = sigmoid_code(to_fixed(a_i, sum_step, per_sum)) * gate
            f = sigmoid_code(to_fixed(a_f, sum_step, per_sum)) * gate
            g = tanh_code(to_fixed(a_g, sum_step, per_sum)) * gate
            o = sigmoid_code(to_fixed(a_o, sum_step, per_sum)) * gate
            new = to_fixed(f * c[d, b, j] + to_fixed(i * g, state_step, per_state), state_step, per_state)
            c[d, b, j] = new
            new_h = to_fixed(o * tanh_code(new) * gate, gate, per_gate)
            h[d, b, j] = new_h
            out[frame, utterance, d, j] = new_h


@_serial
def gru_step(forward, backward, scale, u, t, order, lengths, bias, h, c, out, sum_step, state_step):
    """Step t of GRU, with the arguments of `lstm_step`: gates r, z, n; bias (2, C) of the recurrent product of n; c is
    not used. See `quant.networks.gru.Gru.step`."""
    n, cells = len(forward), h.shape[2]
    gate, per_gate = np.float32(GATE_STEP), np.float32(1.0 / GATE_STEP)
    per_sum = np.float32(1.0 / sum_step)
    one = np.float32(1.0)
    for lane in range(h.shape[0] * n):
        d, b = lane // n, lane % n
        frame, utterance = _frame(t, d, lengths[order[b]]), order[b]
        sums, w, x = forward[b] if d == 0 else backward[b], scale[d], u[frame, utterance, d]
        for j in range(cells):
            a_r = _fixed_sum(sums[0, j], w[0, j], sum_step, per_sum) + to_fixed(x[0, j], sum_step, per_sum)
            a_z = _fixed_sum(sums[1, j], w[1, j], sum_step, per_sum) + to_fixed(x[1, j], sum_step, per_sum)
            inner = _fixed_sum(sums[2, j], w[2, j], sum_step, per_sum) + bias[d, j]
            r = sigmoid_code(to_fixed(a_r, sum_step, per_sum)) * gate
            z = sigmoid_code(to_fixed(a_z, sum_step, per_sum)) * gate
            inner = to_fixed(r * to_fixed(inner, sum_step, per_sum), sum_step, per_sum)
            a_n = to_fixed(x[2, j], sum_step, per_sum) + inner
            new = tanh_code(to_fixed(a_n, sum_step, per_sum)) * gate
            new_h = to_fixed(to_fixed((one - z) * new, gate, per_gate) + z * h[d, b, j], gate, per_gate)
            h[d, b, j] = new_h
            out[frame, utterance, d, j] = new_h


@_serial
def ligru_step(forward, backward, scale, u, t, order, lengths, bias, h, c, out, sum_step, state_step):
    """Step t of Li-GRU, with the arguments of `lstm_step`: gates z, n; neither bias nor c is used. See
    `quant.networks.ligru.LiGru.step`."""
    n, cells = len(forward), h.shape[2]
    gate = np.float32(GATE_STEP)
    per_sum, per_state = np.float32(1.0 / sum_step), np.float32(1.0 / state_step)
    one = np.float32(1.0)
    for lane in range(h.shape[0] * n):
        d, b = lane // n, lane % n
        frame, utterance = _frame(t, d, lengths[order[b]]), order[b]
        sums, w, x = forward[b] if d == 0 else backward[b], scale[d], u[frame, utterance, d]
        for j in range(cells):
            a_z = _fixed_sum(sums[0, j], w[0, j], sum_step, per_sum) + to_fixed(x[0, j], sum_step, per_sum)
            a_n = _fixed_sum(sums[1, j], w[1, j], sum_step, per_sum) + to_fixed(x[1, j], sum_step, per_sum)
            z = sigmoid_code(to_fixed(a_z, sum_step, per_sum)) * gate
            new = to_fixed(max(to_fixed(a_n, sum_step, per_sum), np.float32(0.0)), state_step, per_state)
            kept = to_fixed((one - z) * new, state_step, per_state)
            new_h = to_fixed(kept + z * h[d, b, j], state_step, per_state)
            h[d, b, j] = new_h
            out[frame, utterance, d, j] = new_h


@_serial
def transmit(h, n, t, reciprocal, lowest, highest, threshold, held, high, low, wide, sent):
    """Encode h (2, B, C) of the first n utterances to the codes that step t multiplies: those no further than
    `threshold` from what was transmitted last (held, (2, B, C) int32, replaced) stay as they are. Codes of at most 8
    bits go to high (2, B, C); of 16, if `wide`, to high and low as in `encode16`. sent (T, 2, B, C) bool: which were
    transmitted; it may have no steps, where nobody asks."""
    cells = high.shape[2]
    for lane in range(h.shape[0] * n):
        d, b = lane // n, lane % n
        if len(sent):
            for j in range(cells):
                code = np.int32(min(max(np.rint(h[d, b, j] * reciprocal), lowest), highest))
                sent[t, d, b, j] = abs(code - held[d, b, j]) > threshold
        for j in range(cells):
            code = np.int32(min(max(np.rint(h[d, b, j] * reciprocal), lowest), highest))
            if abs(code - held[d, b, j]) > threshold:
                held[d, b, j] = code
            code = held[d, b, j]
            if wide:
                high[d, b, j] = np.int8(code >> 8)
                low[d, b, j] = np.int8((code & 255) - 128)
            else:
                high[d, b, j] = np.int8(code)


@_inline
def _recurrent_product(codes, h, per_code, lowest, highest, read, sums):
    """sums (R,) of codes (R, C), float32 whole numbers, and h (C,) on the grid that `per_code` steps make a unit of.
    read (C,) gets the codes of h. Exact while no sum reaches 2^24."""
    for j in range(len(h)):
        read[j] = min(max(np.rint(h[j] * per_code), lowest), highest)
    for row in range(len(codes)):
        total = np.float32(0.0)
        for j in range(len(read)):
            total += codes[row, j] * read[j]
        sums[row] = total


@_serial
def lstm_sequence(u, codes, scale, encoding, lengths, h, c, out, sum_step, state_step):
    """All steps of one direction of ONNX's LSTM (gates i, o, f, g): u (T, B, 4, C) with its biases on the grid of the
    sums, codes (4·C, C) of the recurrent weights, float32, scale (4·C,) of their products, encoding (reciprocal of the
    step, least code, largest code) of h, lengths (B,) in frames, first h and c (B, C), replaced by the last, and out
    (T, B, C), which gets h. See `quant.networks.lstm.Lstm.step`."""
    cells = h.shape[1]
    gate, per_gate = np.float32(GATE_STEP), np.float32(1.0 / GATE_STEP)
    per_sum, per_state = np.float32(1.0 / sum_step), np.float32(1.0 / state_step)
    read, sums = np.empty(cells, np.float32), np.empty(len(codes), np.float32)
    for b in range(h.shape[0]):
        for t in range(lengths[b]):
            _recurrent_product(codes, h[b], encoding[0], encoding[1], encoding[2], read, sums)
            for j in range(cells):
                a_i = _fixed_sum(sums[j], scale[j], sum_step, per_sum) + u[t, b, 0, j]
                k = cells + j
                a_o = _fixed_sum(sums[k], scale[k], sum_step, per_sum) + u[t, b, 1, j]
                k += cells
                a_f = _fixed_sum(sums[k], scale[k], sum_step, per_sum) + u[t, b, 2, j]
                k += cells
                a_g = _fixed_sum(sums[k], scale[k], sum_step, per_sum) + u[t, b, 3, j]
                i = sigmoid_code(to_fixed(a_i, sum_step, per_sum)) * gate
                f = sigmoid_code(to_fixed(a_f, sum_step, per_sum)) * gate
                g = tanh_code(to_fixed(a_g, sum_step, per_sum)) * gate
                o = sigmoid_code(to_fixed(a_o, sum_step, per_sum)) * gate
                new = to_fixed(f * c[b, j] + to_fixed(i * g, state_step, per_state), state_step, per_state)
                c[b, j] = new
                h[b, j] = out[t, b, j] = to_fixed(o * tanh_code(new) * gate, gate, per_gate)


@_serial
def gru_sequence(u, codes, scale, encoding, lengths, h, bias, out, sum_step):
    """All steps of one direction of ONNX's GRU (gates z, r, n) whose reset gate stands behind the recurrent product,
    with the arguments of `lstm_sequence`; bias (C,) of the recurrent product of n. See `quant.networks.gru.Gru`."""
    cells = h.shape[1]
    gate, per_gate, one = np.float32(GATE_STEP), np.float32(1.0 / GATE_STEP), np.float32(1.0)
    per_sum = np.float32(1.0 / sum_step)
    read, sums = np.empty(cells, np.float32), np.empty(len(codes), np.float32)
    for b in range(h.shape[0]):
        for t in range(lengths[b]):
            _recurrent_product(codes, h[b], encoding[0], encoding[1], encoding[2], read, sums)
            for j in range(cells):
                a_z = _fixed_sum(sums[j], scale[j], sum_step, per_sum) + u[t, b, 0, j]
                k = cells + j
                a_r = _fixed_sum(sums[k], scale[k], sum_step, per_sum) + u[t, b, 1, j]
                k += cells
                inner = to_fixed(_fixed_sum(sums[k], scale[k], sum_step, per_sum) + bias[j], sum_step, per_sum)
                z = sigmoid_code(to_fixed(a_z, sum_step, per_sum)) * gate
                r = sigmoid_code(to_fixed(a_r, sum_step, per_sum)) * gate
                inner = to_fixed(r * inner, sum_step, per_sum)
                new = tanh_code(to_fixed(u[t, b, 2, j] + inner, sum_step, per_sum)) * gate
                entering = to_fixed((one - z) * new, gate, per_gate)
                h[b, j] = out[t, b, j] = to_fixed(entering + z * h[b, j], gate, per_gate)


@_inline
def _sigmoid(x):
    return np.float32(1.0) / (np.float32(1.0) + np.exp(-x))


@_serial
def lstm_float_sequence(u, weights, lengths, h, c, out, memory, products):
    """`lstm_sequence` in float32, with weights (4·C, C) as they are: memory (T, B, C) gets c of every step, products
    (T, B, 4·C) the recurrent products."""
    cells = h.shape[1]
    for b in range(h.shape[0]):
        for t in range(lengths[b]):
            sums = products[t, b]
            for row in range(len(weights)):
                total = np.float32(0.0)
                for j in range(cells):
                    total += weights[row, j] * h[b, j]
                sums[row] = total
            for j in range(cells):
                i, o = _sigmoid(u[t, b, 0, j] + sums[j]), _sigmoid(u[t, b, 1, j] + sums[cells + j])
                f = _sigmoid(u[t, b, 2, j] + sums[2 * cells + j])
                g = np.tanh(u[t, b, 3, j] + sums[3 * cells + j])
                c[b, j] = memory[t, b, j] = f * c[b, j] + i * g
                h[b, j] = out[t, b, j] = o * np.tanh(c[b, j])


@_serial
def gru_float_sequence(u, weights, lengths, h, bias, out, inner, products):
    """`gru_sequence` in float32, with weights (3·C, C) as they are: products (T, B, 3·C) gets the recurrent products,
    with the bias of n's, and inner (T, B, C) what of them passes the reset gate."""
    cells = h.shape[1]
    for b in range(h.shape[0]):
        for t in range(lengths[b]):
            sums = products[t, b]
            for row in range(len(weights)):
                total = np.float32(0.0)
                for j in range(cells):
                    total += weights[row, j] * h[b, j]
                sums[row] = total
            for j in range(cells):
                sums[2 * cells + j] += bias[j]
                z, r = _sigmoid(u[t, b, 0, j] + sums[j]), _sigmoid(u[t, b, 1, j] + sums[cells + j])
                inner[t, b, j] = r * sums[2 * cells + j]
                n = np.tanh(u[t, b, 2, j] + inner[t, b, j])
                h[b, j] = out[t, b, j] = (np.float32(1.0) - z) * n + z * h[b, j]
