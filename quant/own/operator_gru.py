"""A GRU with a bit-width for every operator, in whole numbers alone (after Miccini et al. 2024).

Not only products have operands to narrow: each sum, each product of two signals, each activation function and 1 - z has
a result, and each gets its own width here, 2 to 16 bits. Every format is a signed integer times a power of two, so that
requantization is a shift; sigmoid and tanh come from the table of `quant.arithmetic.whole_numbers`. With ⊙ elementwise,

    r, z = sigmoid(wx + uh)        wx = W x + b,  uh = U h
    n    = tanh(wx_n + r ⊙ (uh_n + b'))
    h    = (1 - z) ⊙ n + z ⊙ h

One layer in one direction, and a linear layer on the last state: a classifier of short sequences. It is a model for
`search.run`, whose sites are the operators.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from quant.arithmetic.whole_numbers import (
    NARROW_ACCUMULATOR,
    WIDE_ACCUMULATOR,
    Ints,
    exact_sum,
    shifted,
    sigmoid,
    tanh,
)
from quant.evaluation.code import OPERATOR_GRU
from quant.evaluation.rates import Rates
from quant.networks.gru import GRU
from simulators import Elementwise, Matmul, Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError

OPERATORS = {
    "x": "input", "W": "input weights", "U": "recurrent weights", "wx": "W x + b", "uh": "U h",
    "a": "sums before r and z", "r": "reset gate", "z": "update gate", "rh": "r times U h", "an": "sum before n",
    "n": "candidate", "1-z": "1 - z", "zn": "(1 - z) times n", "zh": "z times h", "h": "state", "FC": "output weights",
    "y": "results",
}  # fmt: skip
"""Operators with a width, and what has it."""

WIDTHS = (4, 6, 8, 12, 16)
"""What a search chooses from; any width of 2 to 16 bits can be evaluated."""

SUBSETS = 4
_ON_HARDWARE = (2, 4, 8, 16)


@dataclass(frozen=True)
class Operator:
    """What the search calls a site."""

    name: str


@dataclass(frozen=True)
class Sequences:
    """x (N, T, K) float32 and classes (N,)."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]


class GruClassifier(nn.Module):
    """The floating-point model: torch's GRU and a linear layer on its last state."""

    def __init__(self, inputs: int, cells: int, classes: int):
        super().__init__()
        self.gru = nn.GRU(inputs, cells, batch_first=True)
        self.fc = nn.Linear(cells, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, T, K) → scores (N, classes)."""
        scores: torch.Tensor = self.fc(self.gru(x)[0][:, -1])
        return scores


def train_classifier(data: Sequences, cells: int = 48, epochs: int = 60, seed: int = 1) -> GruClassifier:
    """Adam on cross entropy in batches of 64; a second or two for a thousand short sequences."""
    torch.manual_seed(seed)
    model = GruClassifier(data.x.shape[2], cells, int(data.y.max()) + 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    generator = np.random.default_rng(seed)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    for _ in range(epochs):
        for part in np.array_split(generator.permutation(len(y)), max(1, len(y) // 64)):
            optimiser.zero_grad()
            functional.cross_entropy(model(x[part]), y[part]).backward()
            optimiser.step()
    return model.requires_grad_(False)


class OperatorGru:
    """A trained classifier whose operators are quantized apart. `held_out` is what candidates are evaluated on,
    `seen` what their ranges come from."""

    def __init__(self, model: GruClassifier, seen: Sequences, held_out: Sequences, name: str = "operator-gru"):
        self._data = held_out
        self._name = name
        state = {key: value.double().numpy() for key, value in model.state_dict().items()}
        self._w, self._u = state["gru.weight_ih_l0"], state["gru.weight_hh_l0"]
        # torch has two biases a gate; only that of n inside r ⊙ (…) has to stay apart.
        cells = self._u.shape[1]
        self._b = state["gru.bias_ih_l0"].copy()
        self._b[: 2 * cells] += state["gru.bias_hh_l0"][: 2 * cells]
        self._bn = state["gru.bias_hh_l0"][2 * cells :]
        self._fc, self._bias = state["fc.weight"], state["fc.bias"]
        self._ranges: dict[str, float] = {}
        self._float(seen.x, lambda operator, value: self._ranges.update({
            operator: max(self._ranges.get(operator, 0.0), float(np.abs(value).max()))
        }))  # fmt: skip

    @property
    def code(self) -> Code:
        """What decides its errors."""
        return OPERATOR_GRU

    @property
    def sites(self) -> list[Operator]:
        return [Operator(name) for name in OPERATORS]

    @property
    def precisions(self) -> tuple[tuple[int, int], ...]:
        """The widths that a search chooses from, one for each operator, as pairs."""
        return tuple((width, width) for width in WIDTHS)

    @cached_property
    def digest(self) -> str:
        """sha256 of the weights and ranges."""
        digest = hashlib.sha256(repr(sorted(self._ranges.items())).encode())
        for values in (self._w, self._u, self._b, self._bn, self._fc, self._bias):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    @cached_property
    def data_digest(self) -> str:
        return hashlib.sha256(self._data.x.tobytes() + self._data.y.tobytes()).hexdigest()

    def evaluate(self, bits: Mapping[str, tuple[int, int]] | None) -> Rates:
        """Error of a candidate; without bits, of the floating-point model. A pair's first width counts."""
        scores = self._float(self._data.x) if bits is None else self.run(self._data.x, bits)
        wrong = scores.argmax(1) != self._data.y
        parts = [float(part.mean()) for part in np.array_split(wrong, SUBSETS)]
        return Rates(100.0 * max(parts), 100.0 * float(wrong.mean()))

    def evaluate_population(self, candidates: Sequence[Mapping[str, tuple[int, int]]]) -> list[Rates]:
        return [self.evaluate(bits) for bits in candidates]

    def fraction(self, operator: str, bits: int) -> int:
        """Fractional bits of an operator's format at a width: as many as its range leaves."""
        largest = max(self._ranges[operator], 2.0**-14)
        return bits - 1 - int(np.floor(np.log2(largest))) - 1

    def run(self, x: NDArray[Any], bits: Mapping[str, tuple[int, int]]) -> Ints:
        """Results (N, classes) in whole numbers. Raises InputError for a width that there is none of, or for a sum of
        products beyond its accumulator."""
        widths = {operator: self._width(operator, bits) for operator in OPERATORS}
        f = {operator: self.fraction(operator, width) for operator, width in widths.items()}

        def into(operator: str, value: Ints, fraction: int) -> Ints:
            """An operator's result, from other fractional bits."""
            limit = 1 << (widths[operator] - 1)
            return np.clip(shifted(value, fraction - f[operator]), -limit, limit - 1)

        def of(operator: str, value: NDArray[Any]) -> Ints:
            """Weights or inputs as an operator's codes."""
            limit = 1 << (widths[operator] - 1)
            return np.clip(np.rint(value * 2.0 ** f[operator]), -limit, limit - 1).astype(np.int64)

        def bias(value: NDArray[Any], fraction: int) -> Ints:
            return np.rint(value * 2.0**fraction).astype(np.int64)

        def multiplied(a: Ints, b: Ints, *operators: str) -> Ints:
            sums = a @ b.T
            wide = max(widths[operator] for operator in operators) > 8
            limit = WIDE_ACCUMULATOR if wide else NARROW_ACCUMULATOR
            if int(np.abs(sums).max(initial=0)).bit_length() >= limit:
                raise InputError(f"{self._name}: a sum of {' by '.join(operators)} takes more than {limit} bits")
            return sums

        cells = self._u.shape[1]
        w, u, fc = of("W", self._w), of("U", self._u), of("FC", self._fc)
        codes = of("x", x)
        h = np.zeros((len(x), cells), np.int64)
        one = np.int64(1)
        for t in range(x.shape[1]):
            at = f["x"] + f["W"]
            wx = into("wx", multiplied(codes[:, t], w, "x", "W") + bias(self._b, at), at)
            uh = into("uh", multiplied(h, u, "h", "U"), f["h"] + f["U"])
            a = into("a", *exact_sum((wx[:, : 2 * cells], f["wx"]), (uh[:, : 2 * cells], f["uh"])))
            gates = sigmoid(a, f["a"])
            r, z = into("r", gates[:, :cells], 14), into("z", gates[:, cells:], 14)
            inner = uh[:, 2 * cells :] + bias(self._bn, f["uh"])
            rh = into("rh", r * inner, f["r"] + f["uh"])
            an = into("an", *exact_sum((wx[:, 2 * cells :], f["wx"]), (rh, f["rh"])))
            n = into("n", tanh(an, f["an"]), 14)
            rest = into("1-z", (one << max(f["z"], 0)) - shifted(z, min(f["z"], 0)), max(f["z"], 0))
            entering = into("zn", rest * n, f["1-z"] + f["n"])
            kept = into("zh", z * h, f["z"] + f["h"])
            h = into("h", *exact_sum((entering, f["zn"]), (kept, f["zh"])))
        at = f["h"] + f["FC"]
        return into("y", multiplied(h, fc, "h", "FC") + bias(self._bias, at), at)

    def trace(self, bits: Mapping[str, tuple[int, int]], steps: int | None = None) -> Trace:
        """What the classifier computes for a sequence, as the simulators take it: widths that hardware lacks are
        rounded up to 2, 4, 8 or 16 bits. `steps` is the length of a sequence unless said."""
        widths = {operator: self._width(operator, bits) for operator in OPERATORS}

        def held(*operators: str) -> int:
            """The width that hardware holds these in."""
            widest = max(widths[operator] for operator in operators)
            return next(width for width in _ON_HARDWARE if width >= widest)

        rows, inputs = self._w.shape
        cells = self._u.shape[1]
        steps = steps or self._data.x.shape[1]
        ops: dict[Any, int] = {op: count * cells for op, count in GRU.ops.items()}
        layers = (
            Matmul(name="W", out_features=rows, in_features=inputs, steps=steps, weight_bits=held("W", "x"),
                   activation_bits=held("W", "x"), output_bits=held("wx")),
            Matmul(name="U", out_features=rows, in_features=cells, steps=steps, recurrent=True,
                   weight_bits=held("U", "h"), activation_bits=held("U", "h"), output_bits=held("uh")),
            Elementwise(name="E", ops=ops, inputs=2 * rows, outputs=cells, steps=steps, recurrent=True,
                        vector_parameters=rows + cells, output_bits=held("h"),
                        activation_bits=held("wx", "uh", "a", "r", "z", "rh", "an", "n", "1-z", "zn", "zh")),
            Matmul(name="FC", out_features=len(self._bias), in_features=cells, steps=1, weight_bits=held("FC", "h"),
                   activation_bits=held("FC", "h"), output_bits=held("y")),
        )  # fmt: skip
        return Trace(name=self._name, steps=steps, layers=layers)

    def _float(self, x: NDArray[Any], see: Callable[[str, NDArray[Any]], None] = lambda *_: None) -> NDArray[Any]:
        """Results (N, classes) of the floating-point model; `see` is told every operator's values."""
        cells = self._u.shape[1]
        for operator, values in (("x", x), ("W", self._w), ("U", self._u), ("FC", self._fc)):
            see(operator, values)
        h = np.zeros((len(x), cells))
        for t in range(x.shape[1]):
            wx, uh = x[:, t] @ self._w.T + self._b, h @ self._u.T
            a = wx[:, : 2 * cells] + uh[:, : 2 * cells]
            r, z = np.split(1 / (1 + np.exp(-a)), 2, 1)
            rh = r * (uh[:, 2 * cells :] + self._bn)
            an = wx[:, 2 * cells :] + rh
            n = np.tanh(an)
            before, h = h, (1 - z) * n + z * h
            for operator, values in (
                ("wx", wx), ("uh", uh), ("a", a), ("r", r), ("z", z), ("rh", rh), ("an", an), ("n", n), ("1-z", 1 - z),
                ("zn", (1 - z) * n), ("zh", z * before), ("h", h),
            ):  # fmt: skip
                see(operator, values)
        y: NDArray[Any] = h @ self._fc.T + self._bias
        see("y", y)
        return y

    def _width(self, operator: str, bits: Mapping[str, tuple[int, int]]) -> int:
        if set(bits) != set(OPERATORS):
            different = ", ".join(sorted(set(bits) ^ set(OPERATORS)))
            raise InputError(f"bits: {different}: the operators are {', '.join(OPERATORS)}")
        width = bits[operator][0]
        if not 2 <= width <= 16:
            raise InputError(f"bits of {operator}: {width}: it must lie between 2 and 16")
        return width
