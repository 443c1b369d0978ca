"""EdgeDRNN's network in Python's whole numbers, computed another way than the kernel does."""

import math
from fractions import Fraction

import numpy as np


def signed(value: int, bits: int) -> int:
    value %= 1 << bits
    return value - (1 << bits) if value >> (bits - 1) else value


def gate(function, value: int) -> int:
    return 16 * round(16 * function(value / 256))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def plain_network(layers: list[np.ndarray], inputs: np.ndarray, thx: int, thh: int) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and sent columns. Sums are products of the weights with all deltas that were sent so far, added up as
    Python's whole numbers; Python's `round` of a fraction rounds ties to even."""
    states = [
        {"sums": np.zeros(len(w), np.int64), "last": [0] * (len(w) - 1), "h": [0] * w.shape[2], "w": w.astype(np.int64)}
        for w in layers
    ]
    outputs, sent = [], []
    for step, x in enumerate(inputs.tolist()):
        columns: list[bool] = []
        for s in states:
            values = [*x, *s["h"]]
            deltas = [256 * (step == 0), *(signed(v - last, 16) for v, last in zip(values, s["last"], strict=True))]
            limits = [thx] * (1 + len(x)) + [thh] * len(s["h"])
            passes = [d != 0 and (d >= t or d <= -t) for d, t in zip(deltas, limits, strict=True)]
            s["sums"] += np.where(passes, deltas, 0)
            s["last"] = [v if p else last for v, last, p in zip(values, s["last"], passes[1:], strict=True)]
            border = 1 + len(x)
            whole = np.einsum("e,egn->gn", s["sums"], s["w"])
            first = np.einsum("e,en->n", s["sums"][:border], s["w"][:border, 2])
            second = np.einsum("e,en->n", s["sums"][border:], s["w"][border:, 2])
            h = []
            for n, old in enumerate(s["h"]):

                def scaled(v, k, bits=16):
                    return signed(round(Fraction(int(v), 1 << k)), bits)

                r = gate(sigmoid, scaled(signed(int(whole[0, n]), 24), 7))
                u = gate(sigmoid, scaled(signed(int(whole[1, n]), 24), 7))
                inner = r * scaled(signed(int(second[n]), 24), 7) + 2 * signed(int(first[n]), 24)
                c = gate(math.tanh, scaled(signed(inner, 24), 8))
                h.append(signed(round(Fraction(c * (256 - u), 256)) + round(Fraction(u * old, 256)), 16))
            s["h"] = x = h
            columns += passes
        outputs.append(x)
        sent.append(columns)
    return np.array(outputs), np.array(sent)
