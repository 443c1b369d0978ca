"""Functions of torch that are several of ONNX's."""

import math
from collections.abc import Callable
from typing import Any

import torch

from quant.graphs.torch_programs.building import GraphBuilder
from simulators.inputs.errors import InputError

Arguments = dict[str, Any]
Translation = Callable[[GraphBuilder, Arguments], Any]


def _scaled(op: str, factor: float) -> Translation:
    return lambda build, a: build.emit("Mul", build.emit(op, a["self"]), factor)


def _toward_zero(build: GraphBuilder, x: Any) -> Any:
    return build.emit("Mul", build.emit("Sign", x), build.emit("Floor", build.emit("Abs", x)))


def _remainder(build: GraphBuilder, a: Arguments) -> Any:
    """What is left of a division that is rounded down: it has the divisor's sign."""
    whole = build.emit("Floor", build.emit("Div", a["self"], a["other"]))
    return build.emit("Sub", a["self"], build.emit("Mul", whole, a["other"]))


def _fmod(build: GraphBuilder, a: Arguments) -> Any:
    """What is left of a division that is rounded toward zero: it has the dividend's sign."""
    return build.emit("Mod", a["self"], _as_tensor(a["other"]), fmod=1)


def _as_tensor(value: Any) -> Any:
    return torch.tensor(float(value)) if isinstance(value, int | float) else value


def power(build: GraphBuilder, a: Arguments) -> Any:
    """A power; its base or its exponent may be a number."""
    return build.emit("Pow", _as_tensor(a["self"]), _as_tensor(a["exponent"]))


def clamp(build: GraphBuilder, a: Arguments) -> Any:
    """Values kept within bounds, which are numbers or tensors."""
    low, high = a.get("min", a.get("min_val")), a.get("max", a.get("max_val"))
    if all(bound is None or isinstance(bound, int | float) for bound in (low, high)):
        return build.emit("Clip", a["self"], *(None if x is None else float(x) for x in (low, high)))
    above = build.value(a["self"]) if low is None else build.emit("Max", a["self"], _as_tensor(low))
    return above if high is None else build.emit("Min", above, _as_tensor(high))


def _angle(build: GraphBuilder, a: Arguments) -> Any:
    """atan2: of y / x, in the half plane that x is in; of x = 0 a quarter turn to y's side."""
    y, x = a["self"], a["other"]
    turn = build.emit("Where", build.emit("Less", y, 0.0), -math.pi, math.pi)
    slope = build.emit("Atan", build.emit("Div", y, x))
    beside = build.emit("Where", build.emit("Less", x, 0.0), build.emit("Add", slope, turn), slope)
    quarter = build.emit("Mul", build.emit("Sign", y), math.pi / 2)
    return build.emit("Where", build.emit("Equal", x, 0.0), quarter, beside)


def _hypotenuse(build: GraphBuilder, a: Arguments) -> Any:
    squares = [build.emit("Mul", x, x) for x in (a["self"], a["other"])]
    return build.emit("Sqrt", build.emit("Add", *squares))


def _logical(op: str) -> Translation:
    """An operator on bits, of what is true or false."""

    def translate(build: GraphBuilder, a: Arguments) -> Any:
        if a["self"].meta["val"].dtype is not torch.bool:
            raise InputError(f"{build.path}: bits of whole numbers cannot be translated")
        return build.emit(op, *[x for x in (a["self"], a.get("other")) if x is not None])

    return translate


def _any(is_all: bool) -> Translation:
    """Whether any, or every, element along dimensions is true."""

    def translate(build: GraphBuilder, a: Arguments) -> Any:
        dims = a.get("dim")
        axes = [] if dims is None else [build.sizes([dims] if isinstance(dims, int) else list(dims))]
        number = build.emit("Cast", a["self"], to=_FLOAT)
        found = build.emit("ReduceMin" if is_all else "ReduceMax", build.emit("Abs", number), *axes,
                           keepdims=int(bool(a.get("keepdim"))))  # fmt: skip
        return build.emit("Greater", found, 0.0)

    return translate


_FLOAT = 1
"""ONNX's number of float32."""

FUNCTIONS: dict[str, Translation] = {
    "trunc": lambda build, a: _toward_zero(build, a["self"]),
    "fix": lambda build, a: _toward_zero(build, a["self"]),
    "expm1": lambda build, a: build.emit("Sub", build.emit("Exp", a["self"]), 1.0),
    "exp2": lambda build, a: build.emit("Pow", torch.tensor(2.0), a["self"]),
    "log2": _scaled("Log", 1 / math.log(2)), "log10": _scaled("Log", 1 / math.log(10)),
    "erfc": lambda build, a: build.emit("Sub", 1.0, build.emit("Erf", a["self"])),
    "remainder": _remainder, "fmod": _fmod, "pow": power, "clamp": clamp, "clamp_min": clamp, "clamp_max": clamp,
    "hardtanh": clamp, "atan2": _angle, "hypot": _hypotenuse, "bitwise_and": _logical("And"),
    "bitwise_or": _logical("Or"), "bitwise_xor": _logical("Xor"), "bitwise_not": _logical("Not"),
    "__and__": _logical("And"), "__or__": _logical("Or"), "any": _any(False), "all": _any(True),
    "addmv": lambda build, a: build.emit("Add", a["self"], build.emit("MatMul", a["mat"], a["vec"])),
    "isinf": lambda build, a: build.emit("IsInf", a["self"]), "isnan": lambda build, a: build.emit("IsNaN", a["self"]),
}  # fmt: skip
"""How each is translated, by its name."""
