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
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from quant.arithmetic.whole_numbers import NARROW_ACCUMULATOR, WIDE_ACCUMULATOR, Ints, tanh_table
from quant.evaluation.code import OPERATOR_GRU
from quant.evaluation.rates import Rates
from quant.networks.gru import GRU
from quant.own.gru_classifier import GruClassifier, GruParameters, Sequences
from quant.own.operator_gru_kernel import STEP_OPERATORS, gru_step, requantize
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
MOST_STEPS = 1 << 20
"""Steps of a traced sequence, at most: as of an utterance of a recogniser."""

WIDTHS = (4, 6, 8, 12, 16)
"""What a search chooses from unless a model says others; any width of 2 to 16 bits can be evaluated."""
VECTOR_BITS = 16
"""Width of biases."""

SUBSETS = 4
_ON_HARDWARE = (2, 4, 8, 16)

OperatorBits = Mapping[str, tuple[int, int]]
"""Widths of operators by their names, as the pairs that a search has: the first of a pair counts."""


@dataclass(frozen=True)
class Operator:
    """What the search calls a site."""

    name: str


def ranges_of(parameters: GruParameters, seen: Sequences) -> dict[str, float]:
    """The largest magnitude of every operator in floating point, over the data that are seen."""
    ranges = dict.fromkeys(OPERATORS, 0.0)

    def see(operator: str, values: NDArray[np.floating]) -> None:
        ranges[operator] = max(ranges[operator], float(np.abs(values).max(initial=0.0)))

    parameters.scores(seen, see)
    return ranges


class OperatorGru:
    """A trained classifier whose operators are quantized apart."""

    def __init__(
        self,
        parameters: GruParameters,
        ranges: Mapping[str, float],
        held_out: Sequences,
        name: str = "operator-gru",
        widths: Sequence[int] = WIDTHS,
    ):
        """`ranges` are largest magnitudes of the operators, `held_out` what candidates are evaluated on, and `widths`
        what a search chooses from."""
        self.parameters = parameters
        self.ranges = dict(ranges)
        self.data = held_out
        self.name = name
        self._widths = tuple(widths)

    @classmethod
    def of(cls, model: GruClassifier, seen: Sequences, held_out: Sequences, name: str = "operator-gru") -> Self:
        """A trained classifier; its operators' ranges come from what is `seen`."""
        parameters = GruParameters.of(model)
        return cls(parameters, ranges_of(parameters, seen), held_out, name)

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
        return tuple((width, width) for width in self._widths)

    @cached_property
    def digest(self) -> str:
        """sha256 of the weights and ranges."""
        digest = hashlib.sha256(repr(sorted(self.ranges.items())).encode())
        for values in astuple(self.parameters):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    @cached_property
    def data_digest(self) -> str:
        """sha256 of what it is evaluated on."""
        data = self.data
        return hashlib.sha256(data.x.tobytes() + data.y.tobytes() + data.steps.tobytes()).hexdigest()

    def evaluate(self, bits: OperatorBits | None) -> Rates:
        """Error of a candidate; without bits, of the floating-point model."""
        scores = self.parameters.scores(self.data) if bits is None else self.run(self.data, bits)
        wrong = scores.argmax(1) != self.data.y
        parts = [float(part.mean()) for part in np.array_split(wrong, SUBSETS) if len(part)]
        return Rates(100.0 * max(parts), 100.0 * float(wrong.mean()))

    def evaluate_population(self, candidates: Sequence[OperatorBits]) -> list[Rates]:
        return [self.evaluate(bits) for bits in candidates]

    def fraction(self, operator: str, bits: int) -> int:
        """Fractional bits of an operator's format at a width: as many as its range leaves."""
        largest = max(self.ranges[operator], 2.0**-14)
        return bits - 1 - int(np.floor(np.log2(largest))) - 1

    def widths_of(self, bits: OperatorBits) -> dict[str, int]:
        """The width of every operator. Raises InputError for operators that there are not, and widths."""
        if set(bits) != set(OPERATORS):
            different = ", ".join(sorted(set(bits) ^ set(OPERATORS)))
            raise InputError(f"bits: {different}: the operators are {', '.join(OPERATORS)}")
        widths = {operator: bits[operator][0] for operator in OPERATORS}
        for operator, width in widths.items():
            if not 2 <= width <= 16:
                raise InputError(f"bits of {operator}: {width}: it must lie between 2 and 16")
        return widths

    def run(self, data: Sequences, bits: OperatorBits) -> Ints:
        """Results (N, classes) in whole numbers. Raises InputError for a width that there is none of, or for a sum of
        products beyond its accumulator."""
        widths = self.widths_of(bits)
        f = {operator: self.fraction(operator, width) for operator, width in widths.items()}
        limit = {operator: 1 << (width - 1) for operator, width in widths.items()}

        def codes(operator: str, value: NDArray[Any]) -> NDArray[np.float64]:
            """Weights or inputs in an operator's format: whole numbers, as float64 for products that are exact."""
            return np.clip(np.rint(value * 2.0 ** f[operator]), -limit[operator], limit[operator] - 1)

        def product(a: NDArray[np.float64], b: NDArray[np.float64], bias: Any, operand: str, weight: str) -> Ints:
            """a b' + bias. Less than 2^53 is exact in float64, and an accumulator has fewer bits."""
            sums = a @ b.T + bias
            most = WIDE_ACCUMULATOR if max(widths[operand], widths[weight]) > 8 else NARROW_ACCUMULATOR
            if np.abs(sums).max(initial=0.0) >= 2.0 ** (most - 1):
                raise InputError(f"{self.name}: a sum of {operand} by {weight} takes more than {most} bits")
            whole: Ints = sums.astype(np.int64)
            return whole

        p = self.parameters
        u = codes("U", p.u)
        at = f["x"] + f["W"]
        sums = product(codes("x", data.x), codes("W", p.w), np.rint(p.b * 2.0**at), "x", "W")  # (N, T, 3·C)
        wx = np.ascontiguousarray(requantize(sums, at - f["wx"], limit["wx"]).swapaxes(0, 1))
        bn = np.rint(p.bn * 2.0 ** f["uh"]).astype(np.int64)
        formats = np.array([[f[operator], limit[operator]] for operator in STEP_OPERATORS]).T.copy()
        h = np.zeros((len(data.x), len(p.bn)), np.int64)
        for t, of_step in enumerate(wx):
            recurrent = product(h.astype(np.float64), u, 0.0, "h", "U")
            uh = requantize(recurrent, f["h"] + f["U"] - f["uh"], limit["uh"])
            gru_step(of_step, uh, h, bn, data.steps, t, formats[0], formats[1], tanh_table())
        at = f["h"] + f["FC"]
        results = product(h.astype(np.float64), codes("FC", p.fc), np.rint(p.bias * 2.0**at), "h", "FC")
        y: Ints = requantize(results, at - f["y"], limit["y"])
        return y

    def stored_bits(self, bits: OperatorBits) -> int:
        """Bits of the weights at their operators' widths, and of the GRU's biases at 16, as in the trace."""
        p, widths = self.parameters, self.widths_of(bits)
        weights = p.w.size * widths["W"] + p.u.size * widths["U"] + p.fc.size * widths["FC"]
        return weights + VECTOR_BITS * (len(p.b) + len(p.bn))

    def trace(self, bits: OperatorBits, steps: int | None = None) -> Trace:
        """What the classifier computes for a sequence, as the simulators take it: widths that hardware lacks are
        rounded up to 2, 4, 8 or 16 bits. `steps` is the length of a sequence unless said. Raises InputError for steps
        below 1 or over 1,048,576."""
        widths = self.widths_of(bits)

        def held(*operators: str) -> int:
            """The width that hardware holds these in."""
            widest = max(widths[operator] for operator in operators)
            return next(width for width in _ON_HARDWARE if width >= widest)

        rows, inputs = self.parameters.w.shape
        cells = self.parameters.u.shape[1]
        steps = self.data.x.shape[1] if steps is None else steps
        if not 1 <= steps <= MOST_STEPS:
            raise InputError(f"steps: {steps}: it must lie between 1 and {MOST_STEPS}")
        ops: dict[Any, int] = {op: count * cells for op, count in GRU.ops.items()}
        layers = (
            Matmul(name="W", out_features=rows, in_features=inputs, steps=steps, weight_bits=held("W", "x"),
                   activation_bits=held("W", "x"), output_bits=held("wx")),
            Matmul(name="U", out_features=rows, in_features=cells, steps=steps, recurrent=True,
                   weight_bits=held("U", "h"), activation_bits=held("U", "h"), output_bits=held("uh")),
            Elementwise(name="E", ops=ops, inputs=2 * rows, outputs=cells, steps=steps, recurrent=True,
                        vector_parameters=rows + cells, output_bits=held("h"),
                        activation_bits=held("wx", "uh", "a", "r", "z", "rh", "an", "n", "1-z", "zn", "zh")),
            Matmul(name="FC", out_features=len(self.parameters.bias), in_features=cells, steps=1,
                   weight_bits=held("FC", "h"), activation_bits=held("FC", "h"), output_bits=held("y")),
        )  # fmt: skip
        return Trace(name=self.name, steps=steps, layers=layers)
