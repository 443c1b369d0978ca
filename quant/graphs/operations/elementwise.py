"""Operations on single elements.

A trace knows nine kinds of them. Square roots are counted as divisions, whose digit recurrence they share (Ercegovac
and Lang, Digital Arithmetic, 2004), logarithms as exponentials, the error function, sine, cosine and their inverses as
tanh: a table and an interpolation each. Arithmetic on whole numbers is that of sizes and indices, and costs
nothing."""

from collections.abc import Callable

import torch
from torch.nn import functional

from quant.graphs.call import Call, Operation
from quant.graphs.operations.roots import flat_at_zero, square_root

Counts = dict[str, int]

_UNARY: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Counts]] = {
    "Relu": (torch.relu, {"relu": 1}),
    "Sigmoid": (torch.sigmoid, {"sigmoid": 1}),
    "Tanh": (torch.tanh, {"tanh": 1}),
    "Exp": (torch.exp, {"exp": 1}),
    "Log": (torch.log, {"exp": 1}),
    "Sqrt": (square_root, {"divide": 1}),
    "Reciprocal": (torch.reciprocal, {"divide": 1}),
    "Erf": (torch.erf, {"tanh": 1}),
    "Sin": (torch.sin, {"tanh": 1}),
    "Cos": (torch.cos, {"tanh": 1}),
    "Tan": (torch.tan, {"tanh": 2, "divide": 1}),
    "Asin": (torch.asin, {"tanh": 1}),
    "Acos": (torch.acos, {"tanh": 1}),
    "Atan": (torch.atan, {"tanh": 1}),
    "Sinh": (torch.sinh, {"exp": 2, "add": 1, "multiply": 1}),
    "Cosh": (torch.cosh, {"exp": 2, "add": 1, "multiply": 1}),
    "Asinh": (torch.asinh, {"multiply_add": 1, "divide": 1, "add": 1, "exp": 1}),
    "Acosh": (torch.acosh, {"multiply_add": 1, "divide": 1, "add": 1, "exp": 1}),
    "Atanh": (torch.atanh, {"add": 2, "divide": 1, "exp": 1, "multiply": 1}),
    "Neg": (torch.neg, {"add": 1}),
    "Abs": (torch.abs, {"max": 1}),
    "Sign": (torch.sign, {"max": 2}),
    "Floor": (torch.floor, {"add": 1}),
    "Ceil": (torch.ceil, {"add": 1}),
    "Round": (torch.round, {"add": 1}),
    "Softplus": (functional.softplus, {"exp": 2, "add": 1}),
    "Softsign": (functional.softsign, {"max": 1, "add": 1, "divide": 1}),
    "HardSwish": (functional.hardswish, {"multiply_add": 1, "max": 2, "multiply": 1}),
    "Mish": (functional.mish, {"exp": 2, "add": 1, "tanh": 1, "multiply": 1}),
}

_BINARY: dict[str, tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], Counts]] = {
    "Add": (torch.add, {"add": 1}),
    "Sub": (torch.sub, {"add": 1}),
    "Mul": (torch.mul, {"multiply": 1}),
    "Equal": (torch.eq, {"max": 1}),
    "Less": (torch.lt, {"max": 1}),
    "LessOrEqual": (torch.le, {"max": 1}),
    "Greater": (torch.gt, {"max": 1}),
    "GreaterOrEqual": (torch.ge, {"max": 1}),
    "And": (torch.logical_and, {}),
    "Or": (torch.logical_or, {}),
    "Xor": (torch.logical_xor, {}),
}


def _unary(function: Callable[[torch.Tensor], torch.Tensor], counts: Counts) -> Operation:
    def operation(call: Call) -> torch.Tensor:
        x = call.input(0)
        return _costed(call, function(x), counts, x)

    return operation


def _binary(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], counts: Counts) -> Operation:
    def operation(call: Call) -> torch.Tensor:
        a, b = call.input(0), call.input(1)
        call.room(torch.broadcast_shapes(a.shape, b.shape))
        return _costed(call, function(a, b), counts, a, b)

    return operation


def _costed(call: Call, result: torch.Tensor, counts: Counts, *operands: torch.Tensor) -> torch.Tensor:
    """A result, whose cost is told if it is of numbers that are no indices."""
    if call.run.trace is not None and any(x.is_floating_point() for x in operands):
        n = result.numel()
        constants = [number for number in range(len(operands)) if call.is_constant(number)]
        read = sum(x.numel() for number, x in enumerate(operands) if number not in constants)
        kept = sum(operands[number].numel() for number in constants if operands[number].numel() > 1)
        call.cost({op: count * n for op, count in counts.items()}, read, n, kept)
    return result


def _divide(call: Call) -> torch.Tensor:
    a, b = call.input(0), call.input(1)
    call.room(torch.broadcast_shapes(a.shape, b.shape))
    if not (a.is_floating_point() or b.is_floating_point()):
        if bool((b == 0).any()):
            raise call.node.error("whole numbers divided by zero")
        return torch.div(a, b, rounding_mode="trunc")
    return _costed(call, a / b, {"multiply": 1} if call.is_constant(1) else {"divide": 1}, a, b)


def _modulo(call: Call) -> torch.Tensor:
    a, b = call.input(0), call.input(1)
    call.room(torch.broadcast_shapes(a.shape, b.shape))
    if call.attribute("fmod", 0):
        return _costed(call, torch.fmod(a, b), {"divide": 1, "multiply_add": 1}, a, b)
    return torch.remainder(a, b)


def _power(call: Call) -> torch.Tensor:
    """x to the power of y; by a known whole power it is products, by a half a root."""
    x, y = call.input(0), call.input(1)
    call.room(torch.broadcast_shapes(x.shape, y.shape))
    counts = {"exp": 2, "multiply": 1}
    if call.is_constant(1) and y.numel() == 1:
        power = float(y)
        if power in (1.0, 2.0, 3.0):
            counts = {"multiply": max(1, int(power) - 1)}
        elif power in (0.5, -1.0):
            counts = {"divide": 1}
    made = flat_at_zero(lambda base: torch.pow(base, y), x) if _is_root(call, y) else torch.pow(x, y)
    return _costed(call, made.to(x.dtype), counts, x, y)


def _is_root(call: Call, power: torch.Tensor) -> bool:
    return call.is_constant(1) and power.numel() == 1 and 0 < float(power) < 1


def _fold(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], op: str) -> Operation:
    """An operation of any number of operands, two by two."""

    def operation(call: Call) -> torch.Tensor:
        first, *others = call.inputs
        result = first
        for x in others:
            call.room(torch.broadcast_shapes(result.shape, x.shape))
            result = function(result, x)
        return _costed(call, result, {op: max(1, len(others))}, *call.inputs)

    return operation


def _mean(call: Call) -> torch.Tensor:
    inputs = call.inputs
    total = inputs[0]
    for x in inputs[1:]:
        call.room(torch.broadcast_shapes(total.shape, x.shape))
        total = total + x
    return _costed(call, total / len(inputs), {"add": len(inputs) - 1, "multiply": 1}, *inputs)


def _clip(call: Call) -> torch.Tensor:
    x = call.input(0)
    low, high = call.optional(1), call.optional(2)
    for bound in (low, high):
        if bound is not None and bound.numel() != 1:
            raise call.node.error(f"a bound of {bound.numel()} values: expected one")
    lowest = call.node.attributes.get("min") if low is None else low
    highest = call.node.attributes.get("max") if high is None else high
    result = x if lowest is None else torch.maximum(x, torch.as_tensor(lowest, dtype=x.dtype))
    result = result if highest is None else torch.minimum(result, torch.as_tensor(highest, dtype=x.dtype))
    return _costed(call, result, {"max": (lowest is not None) + (highest is not None)}, x)


def _leaky_relu(call: Call) -> torch.Tensor:
    x = call.input(0)
    return _costed(call, functional.leaky_relu(x, call.attribute("alpha", 0.01)), {"multiply": 1, "max": 1}, x)


def _prelu(call: Call) -> torch.Tensor:
    x, slope = call.input(0), call.input(1)
    call.room(torch.broadcast_shapes(x.shape, slope.shape))
    return _costed(call, torch.where(x < 0, slope * x, x), {"multiply": 1, "max": 1}, x, slope)


def _elu(call: Call) -> torch.Tensor:
    x = call.input(0)
    return _costed(call, functional.elu(x, call.attribute("alpha", 1.0)), _EXPONENTIAL_UNIT, x)


def _celu(call: Call) -> torch.Tensor:
    x = call.input(0)
    return _costed(call, functional.celu(x, call.attribute("alpha", 1.0)), _EXPONENTIAL_UNIT, x)


def _selu(call: Call) -> torch.Tensor:
    x = call.input(0)
    alpha, gamma = call.attribute("alpha", 1.6732632), call.attribute("gamma", 1.0507010)
    return _costed(call, gamma * torch.where(x > 0, x, alpha * torch.expm1(x)), {**_EXPONENTIAL_UNIT, "multiply": 2}, x)


_EXPONENTIAL_UNIT = {"exp": 1, "add": 1, "multiply": 1, "max": 1}


def _hard_sigmoid(call: Call) -> torch.Tensor:
    x = call.input(0)
    result = (call.attribute("alpha", 0.2) * x + call.attribute("beta", 0.5)).clamp(0, 1)
    return _costed(call, result, {"multiply_add": 1, "max": 2}, x)


def _thresholded_relu(call: Call) -> torch.Tensor:
    x = call.input(0)
    return _costed(call, torch.where(x > call.attribute("alpha", 1.0), x, torch.zeros_like(x)), {"max": 1}, x)


def _gelu(call: Call) -> torch.Tensor:
    x = call.input(0)
    return _costed(
        call, functional.gelu(x, approximate=call.attribute("approximate", "none")), {"tanh": 1, "multiply_add": 1,
        "multiply": 2}, x
    )  # fmt: skip


def _shrink(call: Call) -> torch.Tensor:
    x, limit, bias = call.input(0), call.attribute("lambd", 0.5), call.attribute("bias", 0.0)
    left = torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, torch.zeros_like(x)))
    return _costed(call, left, {"max": 2, "add": 1}, x)


def _infinite(call: Call) -> torch.Tensor:
    x = call.input(0)
    above, below = bool(call.attribute("detect_positive", 1)), bool(call.attribute("detect_negative", 1))
    return torch.isinf(x) & ((x > 0) & above | (x < 0) & below)


def _swish(call: Call) -> torch.Tensor:
    x = call.input(0)
    return _costed(call, x * torch.sigmoid(call.attribute("alpha", 1.0) * x), {"sigmoid": 1, "multiply": 1}, x)


def _where(call: Call) -> torch.Tensor:
    condition, a, b = call.input(0), call.input(1), call.input(2)
    call.room(torch.broadcast_shapes(condition.shape, a.shape, b.shape))
    return _costed(call, torch.where(condition, a, b), {"max": 1}, condition, a, b)


def _free(function: Callable[[torch.Tensor], torch.Tensor]) -> Operation:
    return lambda call: function(call.input(0))


ELEMENTWISE: dict[str, Operation] = {
    **{op: _unary(*how) for op, how in _UNARY.items()},
    **{op: _binary(*how) for op, how in _BINARY.items()},
    "Div": _divide, "Mod": _modulo, "Pow": _power, "Max": _fold(torch.maximum, "max"),
    "Min": _fold(torch.minimum, "max"), "Sum": _fold(torch.add, "add"), "Mean": _mean, "Clip": _clip,
    "LeakyRelu": _leaky_relu, "PRelu": _prelu, "Elu": _elu, "Celu": _celu, "Selu": _selu,
    "HardSigmoid": _hard_sigmoid, "ThresholdedRelu": _thresholded_relu, "Gelu": _gelu, "Swish": _swish,
    "Where": _where, "Not": _free(torch.logical_not), "IsNaN": _free(torch.isnan),
    "IsInf": _infinite, "Shrink": _shrink,
}  # fmt: skip
