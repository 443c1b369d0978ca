"""The compiled steps, in whole numbers, of a GRU whose operators have widths of their own: all but matrix products.

A value is an integer and its fractional bits. `quant.own.operator_gru` says what the operators are; sigmoid and tanh
are those of `quant.arithmetic.whole_numbers`, by the same table.
"""

import numpy as np

from quant.arithmetic.whole_numbers import Ints
from simulators.inputs.jit import compiled, inlined

STEP_OPERATORS = ("wx", "uh", "a", "r", "z", "rh", "an", "n", "1-z", "zn", "zh", "h")
"""The order in which formats of a step are given."""
_WX, _UH, _A, _R, _Z, _RH, _AN, _N, _REST, _ZN, _ZH, _H = range(len(STEP_OPERATORS))
_GATE, _POSITION, _BETWEEN, _INTERPOLATED = 14, 30, 23, 39
"""Fractional bits of gates, of a place in the table, of one between two of its points, and of an interpolated value."""
_LAST_PLACE = (1 << 33) - 1


@inlined
def _shifted(x, right):
    """x / 2^right to the nearest whole number, ties to even; a negative shift multiplies."""
    if right <= 0:
        return x << -right
    quotient = x >> right
    rest = x - (quotient << right)
    half = np.int64(1) << (right - 1)
    if rest > half or (rest == half and quotient & 1 == 1):
        quotient += 1
    return quotient


@inlined
def _into(x, right, limit):
    """x / 2^right, rounded and saturated to [-limit, limit)."""
    return min(max(_shifted(x, right), -limit), limit - 1)


@inlined
def _interpolated(x, fraction, table):
    """tanh(x · 2^-fraction) with _INTERPOLATED fractional bits."""
    place = min(_shifted(min(abs(x), np.int64(1 << 20)), fraction - _POSITION), np.int64(_LAST_PLACE))
    index = place >> _BETWEEN
    value = (table[index] << _BETWEEN) + (table[index + 1] - table[index]) * (place - (index << _BETWEEN))
    return -value if x < 0 else value


@inlined
def _sigmoid(x, fraction, table):
    """(1 + tanh(x · 2^-fraction / 2)) / 2 in units of 2^-14."""
    one = np.int64(1) << _INTERPOLATED
    return _shifted(one + _interpolated(x, fraction + 1, table), _INTERPOLATED + 1 - _GATE)


@inlined
def _sum(x, fx, y, fy, to, limit):
    """x · 2^-fx + y · 2^-fy, rounded once to `to` fractional bits and saturated."""
    fine = max(fx, fy)
    return _into((x << (fine - fx)) + (y << (fine - fy)), fine - to, limit)


@compiled
def requantize(sums: Ints, right: int, limit: int) -> Ints:
    """Sums (…) / 2^right, rounded to the nearest, ties to even, and saturated to [-limit, limit)."""
    flat = sums.ravel()
    out = np.empty_like(flat)
    for i in range(len(flat)):
        out[i] = _into(flat[i], right, limit)
    return out.reshape(sums.shape)


@compiled
def gru_step(wx: Ints, uh: Ints, h: Ints, bn: Ints, steps: Ints, t: int, f: Ints, limit: Ints, table: Ints) -> None:
    """One step of all sequences, in place of the states h (N, C): wx and uh (N, 3·C) in their formats, bn (C,) with the
    fractional bits of uh. `f` and `limit` are fractional bits and largest value + 1 of STEP_OPERATORS. A sequence whose
    `steps` (N,) are over keeps its state."""
    cells = h.shape[1]
    for i in range(len(h)):
        if t >= steps[i]:
            continue
        for c in range(cells):
            a_r = _sum(wx[i, c], f[_WX], uh[i, c], f[_UH], f[_A], limit[_A])
            a_z = _sum(wx[i, cells + c], f[_WX], uh[i, cells + c], f[_UH], f[_A], limit[_A])
            r = _into(_sigmoid(a_r, f[_A], table), _GATE - f[_R], limit[_R])
            z = _into(_sigmoid(a_z, f[_A], table), _GATE - f[_Z], limit[_Z])
            inner = uh[i, 2 * cells + c] + bn[c]
            rh = _into(r * inner, f[_R] + f[_UH] - f[_RH], limit[_RH])
            an = _sum(wx[i, 2 * cells + c], f[_WX], rh, f[_RH], f[_AN], limit[_AN])
            tanh = _shifted(_interpolated(an, f[_AN], table), _INTERPOLATED - _GATE)
            n = _into(tanh, _GATE - f[_N], limit[_N])
            fine = max(f[_Z], 0)
            rest = _into((np.int64(1) << fine) - (z << (fine - f[_Z])), fine - f[_REST], limit[_REST])
            entering = _into(rest * n, f[_REST] + f[_N] - f[_ZN], limit[_ZN])
            kept = _into(z * h[i, c], f[_Z] + f[_H] - f[_ZH], limit[_ZH])
            h[i, c] = _sum(entering, f[_ZN], kept, f[_ZH], f[_H], limit[_H])
