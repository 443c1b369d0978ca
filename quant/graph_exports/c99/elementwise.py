"""Operations on single elements as expressions of C."""

import torch

from quant.exports.c_header import c_float
from quant.graph_exports.c99.c_program import View
from quant.graph_exports.c99.writer import NodeWriter, WrittenOperation

_UNARY = {
    "Relu": "{0} > 0.0f ? {0} : 0.0f",
    "Sigmoid": "1.0f / (1.0f + expf(-{0}))",
    "Tanh": "tanhf({0})",
    "Exp": "expf({0})",
    "Log": "logf({0})",
    "Sqrt": "sqrtf({0})",
    "Reciprocal": "1.0f / {0}",
    "Erf": "erff({0})",
    "Sin": "sinf({0})",
    "Cos": "cosf({0})",
    "Tan": "tanf({0})",
    "Asin": "asinf({0})",
    "Acos": "acosf({0})",
    "Atan": "atanf({0})",
    "Sinh": "sinhf({0})",
    "Cosh": "coshf({0})",
    "Asinh": "asinhf({0})",
    "Acosh": "acoshf({0})",
    "Atanh": "atanhf({0})",
    "Neg": "-{0}",
    "Abs": "fabsf({0})",
    "Sign": "(float)(({0} > 0.0f) - ({0} < 0.0f))",
    "Floor": "floorf({0})",
    "Ceil": "ceilf({0})",
    "Round": "rintf({0})",
    "Softplus": "{0} > 20.0f ? {0} : log1pf(expf({0}))",
    "Softsign": "{0} / (1.0f + fabsf({0}))",
    "HardSwish": "{0} * NAME_clip({0} + 3.0f, 0.0f, 6.0f) / 6.0f",
    "Mish": "{0} * tanhf({0} > 20.0f ? {0} : log1pf(expf({0})))",
    "Not": "{0} == 0.0f",
    "IsNaN": "(float)({0} != {0})",
}

_BINARY = {
    "Add": "{0} + {1}",
    "Sub": "{0} - {1}",
    "Mul": "{0} * {1}",
    "Div": "{0} / {1}",
    "PRelu": "{0} < 0.0f ? {1} * {0} : {0}",
    "Equal": "(float)({0} == {1})",
    "Less": "(float)({0} < {1})",
    "LessOrEqual": "(float)({0} <= {1})",
    "Greater": "(float)({0} > {1})",
    "GreaterOrEqual": "(float)({0} >= {1})",
    "And": "(float)({0} != 0.0f && {1} != 0.0f)",
    "Or": "(float)({0} != 0.0f || {1} != 0.0f)",
    "Xor": "(float)(({0} != 0.0f) != ({1} != 0.0f))",
}

_FOLDED = {
    "Max": "{0} > {1} ? {0} : {1}",
    "Min": "{0} < {1} ? {0} : {1}",
    "Sum": "{0} + {1}",
}

_WITH_ATTRIBUTES: dict[str, tuple[str, tuple[tuple[str, float], ...]]] = {
    "LeakyRelu": ("{x} < 0.0f ? {alpha} * {x} : {x}", (("alpha", 0.01),)),
    "Elu": ("{x} > 0.0f ? {x} : {alpha} * expm1f({x})", (("alpha", 1.0),)),
    "Celu": ("{x} > 0.0f ? {x} : {alpha} * expm1f({x} / {alpha})", (("alpha", 1.0),)),
    "Selu": (
        "{gamma} * ({x} > 0.0f ? {x} : {alpha} * expm1f({x}))", (("alpha", 1.6732632), ("gamma", 1.0507010)),
    ),
    "HardSigmoid": ("NAME_clip({alpha} * {x} + {beta}, 0.0f, 1.0f)", (("alpha", 0.2), ("beta", 0.5))),
    "ThresholdedRelu": ("{x} > {alpha} ? {x} : 0.0f", (("alpha", 1.0),)),
    "Swish": ("{x} / (1.0f + expf(-{alpha} * {x}))", (("alpha", 1.0),)),
    "Shrink": (
        "{x} < -{lambd} ? {x} + {bias} : {x} > {lambd} ? {x} - {bias} : 0.0f", (("lambd", 0.5), ("bias", 0.0)),
    ),
}  # fmt: skip
_POWERS = {1.0: "{0}", 2.0: "{0} * {0}", 3.0: "{0} * {0} * {0}", 0.5: "sqrtf({0})", -1.0: "1.0f / {0}"}


def _of(expression: str, operands: int) -> WrittenOperation:
    return lambda write: write.each(expression, *(write.operand(number) for number in range(operands)))


def _with_attributes(op: str) -> WrittenOperation:
    expression, attributes = _WITH_ATTRIBUTES[op]

    def write(write: NodeWriter) -> View:
        values = {name: c_float(write.call.attribute(name, default)) for name, default in attributes}
        return write.each(expression.format(x="{0}", **values), write.operand(0))

    return write


def _folded(expression: str) -> WrittenOperation:
    def write(write: NodeWriter) -> View:
        made = write.operand(0)
        shape = tuple(write.call.input(0).shape)
        for number in range(1, len(write.node.inputs)):
            shape = tuple(torch.broadcast_shapes(shape, write.call.input(number).shape))
            made = write.each(expression, made, write.operand(number), shape=shape)
        return made

    return write


def _mean(write: NodeWriter) -> View:
    total = _folded(_FOLDED["Sum"])(write)
    assert isinstance(total, View)
    return write.each(f"{{0}} / {c_float(len(write.node.inputs))}", total)


def _clip(write: NodeWriter) -> View:
    bounds = []
    for number, name, default in ((1, "min", float("-inf")), (2, "max", float("inf"))):
        given = float(write.constant(number)) if write.has(number) else float(write.call.attribute(name, default))
        bounds.append(c_float(given))
    return write.each(f"NAME_clip({{0}}, {bounds[0]}, {bounds[1]})", write.operand(0))


def _power(write: NodeWriter) -> View:
    exponent = write.call.input(1)
    if write.views[1] is None and exponent.numel() == 1 and float(exponent) in _POWERS:
        return write.each(_POWERS[float(exponent)], write.operand(0))
    return write.each("powf({0}, {1})", write.operand(0), write.operand(1))


def _gelu(write: NodeWriter) -> View:
    if write.call.attribute("approximate", "none") == "tanh":
        inner = f"{c_float((2.0 / torch.pi) ** 0.5)} * ({{0}} + 0.044715f * {{0}} * {{0}} * {{0}})"
        return write.each(f"0.5f * {{0}} * (1.0f + tanhf({inner}))", write.operand(0))
    return write.each(f"0.5f * {{0}} * (1.0f + erff({{0}} * {c_float(0.5**0.5)}))", write.operand(0))


ELEMENTWISE: dict[str, WrittenOperation] = {
    **{op: _of(expression, 1) for op, expression in _UNARY.items()},
    **{op: _of(expression, 2) for op, expression in _BINARY.items()},
    **{op: _folded(expression) for op, expression in _FOLDED.items()},
    **{op: _with_attributes(op) for op in _WITH_ATTRIBUTES},
    "Mean": _mean, "Clip": _clip, "Pow": _power, "Gelu": _gelu,
    "Where": _of("{0} != 0.0f ? {1} : {2}", 3),
}  # fmt: skip
"""How each is written, by ONNX's name. What is true is 1, what is not 0."""
