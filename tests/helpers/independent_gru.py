"""A GRU with a width for every operator, a number at a time in Python's whole numbers and fractions: written from what
the operators are said to be, without the project's arithmetic."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

TABLE = [min(round(math.tanh(i / 128) * 65536), 65535) for i in range(1025)]
"""tanh at 1,025 points of [0, 8] in units of 2^-16."""


def nearest(value: Fraction) -> int:
    """The nearest whole number, ties to even: what Python's `round` does."""
    return round(value)


def held(value: Fraction, fraction: int, width: int) -> int:
    """A value in a format of so many fractional bits and a width, saturated."""
    return min(max(nearest(value * Fraction(2) ** fraction), -(2 ** (width - 1))), 2 ** (width - 1) - 1)


def tanh(x: Fraction) -> Fraction:
    """By the table, straight between its points; a place is a multiple of 2^-30."""
    place = min(Fraction(nearest(abs(x) * 2**30), 2**30), Fraction(8) - Fraction(1, 2**30))
    index = math.floor(place * 128)
    value = TABLE[index] + (TABLE[index + 1] - TABLE[index]) * (place * 128 - index)
    return (1 if x >= 0 else -1) * value / 65536


def gate(value: Fraction) -> Fraction:
    """What an activation function gives: 14 fractional bits."""
    return Fraction(nearest(value * 2**14), 2**14)


class IndependentGru:
    """One network. `formats` are (fractional bits, width) of every operator."""

    def __init__(self, weights: Mapping[str, Sequence[object]], formats: Mapping[str, tuple[int, int]]):
        """`weights`: w (3·C, K), u (3·C, C), b (3·C,), bn (C,), fc (M, C) and bias (M,), as lists of floats."""
        self.f = formats
        self.w = [[self.value("W", Fraction(v)) for v in row] for row in weights["w"]]
        self.u = [[self.value("U", Fraction(v)) for v in row] for row in weights["u"]]
        self.fc = [[self.value("FC", Fraction(v)) for v in row] for row in weights["fc"]]
        self.b = [self.fine(v, self.f["x"][0] + self.f["W"][0]) for v in weights["b"]]
        self.bn = [self.fine(v, self.f["uh"][0]) for v in weights["bn"]]
        self.bias = [self.fine(v, self.f["h"][0] + self.f["FC"][0]) for v in weights["bias"]]

    def value(self, operator: str, value: Fraction) -> Fraction:
        """A value as an operator's format holds it."""
        fraction, width = self.f[operator]
        return held(value, fraction, width) / Fraction(2) ** fraction

    def fine(self, value: object, fraction: int) -> Fraction:
        """A bias in the format of the sums that it starts."""
        return nearest(Fraction(value) * Fraction(2) ** fraction) / Fraction(2) ** fraction  # type: ignore[arg-type]

    def scores(self, sequence: Sequence[Sequence[float]]) -> list[int]:
        """The results of a sequence (T, K), in units of their format."""
        cells = len(self.bn)
        h = [Fraction(0)] * cells
        for step in sequence:
            x = [self.value("x", Fraction(v)) for v in step]
            wx = [self.value("wx", sum(a * b for a, b in zip(row, x, strict=True)) + bias)
                  for row, bias in zip(self.w, self.b, strict=True)]  # fmt: skip
            uh = [self.value("uh", sum((a * b for a, b in zip(row, h, strict=True)), Fraction(0))) for row in self.u]
            h = [self.cell(c, cells, wx, uh, h[c]) for c in range(cells)]
        fraction, width = self.f["y"]
        return [held(sum(a * b for a, b in zip(row, h, strict=True)) + bias, fraction, width)
                for row, bias in zip(self.fc, self.bias, strict=True)]  # fmt: skip

    def cell(self, c: int, cells: int, wx: list[Fraction], uh: list[Fraction], h: Fraction) -> Fraction:
        """The next state of a cell."""
        v = self.value
        r, z = (v(name, gate((1 + tanh(v("a", wx[at] + uh[at]) / 2)) / 2)) for name, at in (("r", c), ("z", cells + c)))
        rh = v("rh", r * (uh[2 * cells + c] + self.bn[c]))
        n = v("n", gate(tanh(v("an", wx[2 * cells + c] + rh))))
        return v("h", v("zn", v("1-z", 1 - z) * n) + v("zh", z * h))
