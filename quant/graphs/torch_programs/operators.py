"""Operators of torch (ATen) as nodes of a graph."""

from collections.abc import Callable
from typing import Any

import torch

from quant.graphs.torch_programs import composed_operators as composed
from quant.graphs.torch_programs import normalising as norms
from quant.graphs.torch_programs import recurrent_layers_of_torch as recurrent
from quant.graphs.torch_programs.attention import attention, einsum
from quant.graphs.torch_programs.building import GraphBuilder
from quant.graphs.torch_programs.complex_numbers import stft
from quant.graphs.torch_programs.composed_functions import FUNCTIONS
from quant.graphs.torch_programs.selecting import SELECTING, first_of
from simulators.inputs.errors import InputError

Arguments = dict[str, Any]
"""Arguments of a call by the names of the operator's schema, defaults among them."""
Translation = Callable[[GraphBuilder, Arguments], Any]

_SAME = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "erf": "Erf",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh",
    "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh",
    "reciprocal": "Reciprocal", "neg": "Neg", "abs": "Abs", "sign": "Sign", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "hardswish": "HardSwish", "mish": "Mish", "silu": "Swish", "logical_not": "Not",
    "maximum": "Max", "minimum": "Min", "mul": "Mul", "eq": "Equal", "lt": "Less", "le": "LessOrEqual",
    "gt": "Greater", "ge": "GreaterOrEqual", "matmul": "MatMul", "mm": "MatMul", "bmm": "MatMul", "where": "Where",
    "logical_and": "And", "logical_or": "Or",
}  # fmt: skip
"""Operators that take the same tensors as ONNX's, in the same order."""
_FREE = (
    "contiguous",
    "clone",
    "detach",
    "alias",
    "dropout",
    "dropout_",
    "detach_",
    "lift_fresh_copy",
    "feature_dropout",
)
_OPTIONS = ("rounding_mode", "memory_format", "alpha", "approximate")


def _same(op: str) -> Translation:
    def translate(build: GraphBuilder, a: Arguments) -> Any:
        return build.emit(op, *(value for name, value in a.items() if name not in _OPTIONS))

    return translate


def _scaled(op: str) -> Translation:
    def translate(build: GraphBuilder, a: Arguments) -> Any:
        other = a["other"]
        if a.get("alpha", 1) != 1:
            other = build.emit("Mul", other, float(a["alpha"]))
        return build.emit(op, a["self"], other)

    return translate


def _divide(build: GraphBuilder, a: Arguments) -> Any:
    if a.get("rounding_mode") not in (None, "floor"):
        raise InputError(f"{build.path}: a division that is rounded toward zero cannot be translated")
    quotient = build.emit("Div", a["self"], a["other"])
    return build.emit("Floor", quotient) if a.get("rounding_mode") else quotient


def _linear(build: GraphBuilder, a: Arguments) -> Any:
    build.tensor(a["weight"], "a weight")
    return build.emit("Linear", a["input"], a["weight"], *([] if a["bias"] is None else [a["bias"]]))


def _bilinear(build: GraphBuilder, a: Arguments) -> Any:
    """Its matrices (outputs, inputs of the first, of the second) are one site, of what the first is multiplied by."""
    weight = build.tensor(a["weight"], "a weight")
    outputs, first, second = weight.shape
    matrix = build.constant(weight.transpose(1, 2).reshape(outputs * second, first))
    products = build.emit("Linear", a["input1"], matrix)
    front = a["input1"].meta["val"].dim() - 1
    by_output = build.emit("Reshape", products, build.sizes([0] * front + [outputs, second]))
    weighed = build.emit("Mul", by_output, build.emit("Unsqueeze", a["input2"], build.sizes([-2])))
    total = build.emit("ReduceSum", weighed, build.sizes([-1]), keepdims=0)
    return total if a["bias"] is None else build.emit("Add", total, a["bias"])


def _addmm(build: GraphBuilder, a: Arguments) -> Any:
    return build.emit("Gemm", a["mat1"], a["mat2"], a["self"], alpha=float(a["alpha"]), beta=float(a["beta"]))


def _convolution(build: GraphBuilder, a: Arguments) -> Any:
    padding, dims = a["padding"], len(a["stride"])
    kernel = build.tensor(a["weight"], "a kernel").shape[2:]
    attributes: Arguments = {}
    if isinstance(padding, str):
        attributes["auto_pad"] = {"same": "SAME_UPPER", "valid": "VALID"}[padding]
    else:
        each = list(padding) if len(padding) == dims else list(padding) * dims
        attributes["pads"] = tuple(each * 2)
    return build.emit(
        "Conv", a["input"], a["weight"], a["bias"], kernel_shape=tuple(kernel), strides=tuple(a["stride"]),
        dilations=tuple(a["dilation"]), group=a["groups"], **attributes,
    )  # fmt: skip


def _transposed(build: GraphBuilder, a: Arguments) -> Any:
    return build.emit(
        "ConvTranspose", a["input"], a["weight"], a["bias"], strides=tuple(a["stride"]), pads=tuple(a["padding"]) * 2,
        output_padding=tuple(a["output_padding"]), dilations=tuple(a["dilation"]), group=a["groups"],
    )  # fmt: skip


def _reshape(build: GraphBuilder, a: Arguments) -> Any:
    sizes = a["size"] if "size" in a else a["shape"]
    return build.emit("Reshape", a["self"], build.sizes(sizes), allowzero=1)


def _permuted(build: GraphBuilder, x: Any, first: int, second: int) -> Any:
    dims = x.meta["val"].dim()
    order = list(range(dims))
    order[first % dims], order[second % dims] = order[second % dims], order[first % dims]
    return build.emit("Transpose", x, perm=tuple(order))


def _flatten(build: GraphBuilder, a: Arguments) -> Any:
    x = a["self"]
    dims = x.meta["val"].dim()
    first, last = a["start_dim"] % dims, a["end_dim"] % dims
    sizes = [0] * first + [-1]
    if last != dims - 1:
        sizes += [int(size) for size in x.meta["val"].shape[last + 1 :]]
    return build.emit("Reshape", x, build.sizes(sizes))


def _unflatten(build: GraphBuilder, a: Arguments) -> Any:
    x, dim = a["self"], a["dim"] % a["self"].meta["val"].dim()
    behind = [int(size) for size in x.meta["val"].shape[dim + 1 :]]
    return build.emit("Reshape", x, build.sizes([0] * dim + list(a["sizes"]) + behind))


def _slice(build: GraphBuilder, a: Arguments) -> Any:
    start = 0 if a["start"] is None else a["start"]
    end = 2**62 if a["end"] is None else min(a["end"], 2**62) if isinstance(a["end"], int) else a["end"]
    bounds = build.sizes([start]), build.sizes([end]), build.sizes([a["dim"]]), build.sizes([a["step"]])
    return build.emit("Slice", a["self"], *bounds)


def _narrow(build: GraphBuilder, a: Arguments) -> Any:
    return _slice(build, {**a, "end": a["start"] + a["length"], "step": 1})


def _split(build: GraphBuilder, a: Arguments) -> Any:
    size = a["self"].meta["val"].shape[a["dim"]]
    sizes: Any = a.get("split_sizes", a.get("split_size"))
    if isinstance(sizes, int):
        sizes = [min(sizes, size - first) for first in range(0, int(size), sizes)]
    return build.emit("Split", a["self"], build.sizes(list(sizes)), axis=a["dim"], results=len(sizes))


def _chunk(build: GraphBuilder, a: Arguments) -> Any:
    size = int(a["self"].meta["val"].shape[a["dim"]])
    return _split(build, {**a, "split_size": -(-size // a["chunks"])})


def _unbind(build: GraphBuilder, a: Arguments) -> Any:
    count = int(a["self"].meta["val"].shape[a["dim"]])
    return [build.emit("Gather", a["self"], torch.tensor(i), axis=a["dim"]) for i in range(count)]


def _stack(build: GraphBuilder, a: Arguments) -> Any:
    parts = [build.emit("Unsqueeze", x, build.sizes([a["dim"]])) for x in a["tensors"]]
    return build.emit("Concat", *parts, axis=a["dim"])


def _squeeze(build: GraphBuilder, a: Arguments) -> Any:
    shape = a["self"].meta["val"].shape
    dims = [a["dim"]] if isinstance(a.get("dim"), int) else a.get("dim") or range(len(shape))
    alone = [dim for dim in dims if shape[dim] == 1]
    return build.emit("Squeeze", a["self"], build.sizes(alone)) if alone else build.value(a["self"])


def _expand(build: GraphBuilder, a: Arguments) -> Any:
    return build.emit("Expand", a["self"], build.sizes([1 if size == -1 else size for size in a["size"]]))


def _pad(build: GraphBuilder, a: Arguments) -> Any:
    flat, dims = list(a["pad"]), a["self"].meta["val"].dim()
    sides = [(0, 0)] * (dims - len(flat) // 2) + list(zip(flat[::2], flat[1::2], strict=True))[::-1]
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    pads = build.sizes([before for before, _ in sides] + [after for _, after in sides])
    return build.emit("Pad", a["self"], pads, float(a.get("value") or 0.0), mode=modes[a.get("mode", "constant")])


def _filled(value: float | None) -> Translation:
    def translate(build: GraphBuilder, a: Arguments) -> Any:
        dtype = a.get("dtype") or torch.float32
        filler = torch.tensor([a["fill_value"] if value is None else value], dtype=dtype)
        if "size" in a:
            return build.emit("ConstantOfShape", build.sizes(a["size"]), value=filler)
        return build.emit("ConstantOfShape", build.emit("Shape", a["self"]), value=filler)

    return translate


def _reduced(op: str) -> Translation:
    def translate(build: GraphBuilder, a: Arguments) -> Any:
        dims = a.get("dim")
        axes = [] if dims is None else [build.sizes([dims] if isinstance(dims, int) else list(dims))]
        return build.emit(op, a["self"], *axes, keepdims=int(bool(a.get("keepdim"))))

    return translate


def _pool(op: str) -> Translation:
    def translate(build: GraphBuilder, a: Arguments) -> Any:
        kernel = tuple(a["kernel_size"])
        extra = {"count_include_pad": int(a["count_include_pad"])} if op == "AveragePool" else {
            "dilations": _each(a["dilation"], kernel)}  # fmt: skip
        return build.emit(
            op, a["self"], kernel_shape=kernel, strides=_each(a["stride"] or kernel, kernel),
            pads=_each(a["padding"], kernel) * 2, ceil_mode=int(a["ceil_mode"]), **extra,
        )  # fmt: skip

    return translate


def _each(values: Any, kernel: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(values) if len(values) == len(kernel) else tuple(values) * len(kernel)


def _rsqrt(build: GraphBuilder, a: Arguments) -> Any:
    return build.emit("Reciprocal", build.emit("Sqrt", a["self"]))


def _flip(build: GraphBuilder, a: Arguments) -> Any:
    dims = list(a["dims"])
    bounds = [[-1] * len(dims), [-(2**62)] * len(dims), dims, [-1] * len(dims)]
    return build.emit("Slice", a["self"], *map(build.sizes, bounds))


def _cast(build: GraphBuilder, a: Arguments) -> Any:
    numbers = {torch.float32: 1, torch.float64: 11, torch.int64: 7, torch.int32: 6, torch.bool: 9}
    dtype = a.get("dtype")
    if dtype is None or dtype not in numbers:
        return build.value(a["self"])
    return build.emit("Cast", a["self"], to=numbers[dtype])


def _softplus(build: GraphBuilder, a: Arguments) -> Any:
    if a["beta"] == 1:
        return build.emit("Softplus", a["self"])
    beta = float(a["beta"])
    return build.emit("Mul", build.emit("Softplus", build.emit("Mul", a["self"], beta)), 1 / beta)


def _refused(what: str) -> Translation:
    def translate(build: GraphBuilder, a: Arguments) -> Any:
        raise InputError(f"{build.path}: {what} cannot be translated")

    return translate


TRANSLATIONS: dict[str, Translation] = {
    **{name: _same(op) for name, op in _SAME.items()},
    **{name: (lambda build, a: build.value(next(iter(a.values())))) for name in _FREE},
    **FUNCTIONS, **SELECTING,
    "add": _scaled("Add"), "sub": _scaled("Sub"), "div": _divide, "linear": _linear, "addmm": _addmm,
    "bilinear": _bilinear,
    "rsub": lambda build, a: build.emit("Sub", a["other"], a["self"]),
    "conv3d": _refused("a convolution over three dimensions"), "rrelu": lambda build, a: build.emit(
        "LeakyRelu", a["self"], alpha=(a["lower"] + a["upper"]) / 2),
    "conv1d": _convolution, "conv2d": _convolution, "conv_transpose1d": _transposed, "conv_transpose2d": _transposed,
    "batch_norm": norms.batch_norm, "layer_norm": norms.layer_norm, "group_norm": norms.group_norm,
    "instance_norm": norms.instance_norm, "rms_norm": norms.rms_norm, "glu": norms.glu, "einsum": einsum,
    "scaled_dot_product_attention": attention, "stft": stft, "log1p": composed.log1p,
    "masked_fill": composed.masked_fill,
    "log_sigmoid": lambda build, a: build.emit("Neg", build.emit("Softplus", build.emit("Neg", a["self"]))),
    "selu": lambda build, a: build.emit("Selu", a["self"]), "cumsum": composed.cumulative_sum,
    "logsumexp": _reduced("ReduceLogSumExp"), "var": composed.variance,
    "std": lambda build, a: build.emit("Sqrt", composed.variance(build, a)), "linalg_vector_norm": composed.vector_norm,
    "tril": composed.triangle(0), "triu": composed.triangle(1), "ne": lambda build, a: build.emit(
        "Not", build.emit("Equal", *list(a.values())[:2])),
    "view": _reshape, "reshape": _reshape, "_unsafe_view": _reshape, "flatten": _flatten, "unflatten": _unflatten,
    "transpose": lambda build, a: _permuted(build, a["self"], a["dim0"], a["dim1"]),
    "t": lambda build, a: _permuted(build, a["self"], 0, -1),
    "permute": lambda build, a: build.emit(
        "Transpose", a["self"], perm=tuple(dim % len(a["dims"]) for dim in a["dims"])),
    "unsqueeze": lambda build, a: build.emit("Unsqueeze", a["self"], build.sizes([a["dim"]])),
    "squeeze": _squeeze, "slice": _slice, "narrow": _narrow, "split": _split, "split_with_sizes": _split,
    "chunk": _chunk, "unbind": _unbind, "stack": _stack, "expand": _expand, "pad": _pad, "flip": _flip,
    "select": lambda build, a: build.emit("Gather", a["self"], a["index"], axis=a["dim"]),
    "index_select": lambda build, a: build.emit("Gather", a["self"], a["index"], axis=a["dim"]),
    "embedding": lambda build, a: build.emit("Gather", a["weight"], a["indices"]),
    "cat": lambda build, a: build.emit("Concat", *a["tensors"], axis=a["dim"]),
    "repeat": lambda build, a: build.emit("Tile", a["self"], build.sizes(a["repeats"])),
    "zeros": _filled(0.0), "ones": _filled(1.0), "full": _filled(None), "zeros_like": _filled(0.0),
    "ones_like": _filled(1.0), "new_zeros": _filled(0.0),
    "full_like": _filled(None), "new_full": _filled(None), "new_ones": _filled(1.0),
    "scalar_tensor": lambda build, a: build.constant(torch.tensor(a["s"], dtype=a.get("dtype"))),
    "prod": _reduced("ReduceProd"), "var_mean": lambda build, a: [
        composed.variance(build, a), _reduced("ReduceMean")(build, a)],
    "max_pool1d_with_indices": first_of(_pool("MaxPool")), "max_pool2d_with_indices": first_of(_pool("MaxPool")),
    "mean": _reduced("ReduceMean"), "sum": _reduced("ReduceSum"), "amax": _reduced("ReduceMax"),
    "amin": _reduced("ReduceMin"), "argmax": lambda build, a: build.emit(
        "ArgMax", a["self"], axis=a["dim"], keepdims=int(a["keepdim"])),
    "softmax": lambda build, a: build.emit("Softmax", a["self"], axis=a["dim"]),
    "log_softmax": lambda build, a: build.emit("LogSoftmax", a["self"], axis=a["dim"]),
    "max_pool1d": _pool("MaxPool"), "max_pool2d": _pool("MaxPool"), "avg_pool1d": _pool("AveragePool"),
    "avg_pool2d": _pool("AveragePool"), "rsqrt": _rsqrt, "softplus": _softplus,
    "relu6": lambda build, a: build.emit("Clip", a["self"], 0.0, 6.0),
    "hardsigmoid": lambda build, a: build.emit("HardSigmoid", a["self"], alpha=1 / 6, beta=0.5),
    "leaky_relu": lambda build, a: build.emit("LeakyRelu", a["self"], alpha=float(a["negative_slope"])),
    "elu": lambda build, a: build.emit("Elu", a["self"], alpha=float(a["alpha"])),
    "prelu": lambda build, a: build.emit("PRelu", a["self"], _slopes(build, a)),
    "gelu": lambda build, a: build.emit("Gelu", a["self"], approximate=a["approximate"]),
    "square": lambda build, a: build.emit("Pow", a["self"], 2.0),
    "to": _cast, "_to_copy": _cast, "type_as": lambda build, a: build.emit("CastLike", a["self"], a["other"]),
    "lstm": lambda build, a: recurrent.layers(build, "LSTM", tuple(a.values())),
    "gru": lambda build, a: recurrent.layers(build, "GRU", tuple(a.values())),
    "rnn_tanh": lambda build, a: recurrent.layers(build, "RNN", tuple(a.values())),
    "rnn_relu": lambda build, a: recurrent.layers(
        build, "RNN", tuple(a.values()), activations=("Relu",) * (1 + a["bidirectional"])),
    "lstm_cell": lambda build, a: recurrent.cell(build, "LSTM", tuple(a.values())),
    "gru_cell": lambda build, a: recurrent.cell(build, "GRU", tuple(a.values())),
    "rnn_tanh_cell": lambda build, a: recurrent.cell(build, "RNN", tuple(a.values())),
    "rnn_relu_cell": lambda build, a: recurrent.cell(build, "RNN", tuple(a.values()), activations=("Relu",)),
    "sym_size": lambda build, a: build.emit("Gather", build.emit("Shape", a["self"]), torch.tensor(a["dim"])),
}  # fmt: skip
"""How each operator is translated, by its name without the overload and the underscore of those in place."""


def _slopes(build: GraphBuilder, a: Arguments) -> torch.Tensor:
    """Slopes along the channels, which torch has in axis 1."""
    weight, dims = build.tensor(a["weight"], "a slope"), a["self"].meta["val"].dim()
    return weight if weight.numel() == 1 else weight.reshape(-1, *[1] * max(0, dims - 2))
