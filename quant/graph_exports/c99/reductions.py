"""Sums, extremes and means along axes, normalisations, pooling: what reads many elements for each that it leaves."""

from collections.abc import Sequence

from quant.exports.c_header import c_float
from quant.graph_exports.c99.c_program import View
from quant.graph_exports.c99.loops import contiguous, indices, joined, letters, nest
from quant.graph_exports.c99.writer import NodeWriter, WrittenOperation
from quant.graphs.operations.reducing import two, window_pads

_REDUCTIONS = {
    "ReduceSum": ("0.0", "a + {x}", "a"),
    "ReduceMean": ("0.0", "a + {x}", "a / {n}"),
    "ReduceMax": ("-INFINITY", "{x} > a ? {x} : a", "a"),
    "ReduceMin": ("INFINITY", "{x} < a ? {x} : a", "a"),
    "ReduceL1": ("0.0", "a + fabsf({x})", "a"),
    "ReduceL2": ("0.0", "a + (double){x} * {x}", "sqrt(a)"),
    "ReduceSumSquare": ("0.0", "a + (double){x} * {x}", "a"),
    "ReduceLogSum": ("0.0", "a + {x}", "log(a)"),
    "ReduceProd": ("1.0", "a * {x}", "a"),
}
"""What the accumulator `a` begins with, how it takes an element {x}, and what is left of it, of {n} elements."""


def reduced(write: NodeWriter, x: View, axes: Sequence[int], how: tuple[str, str, str]) -> View:
    """A tensor with these axes reduced to one element each, which stay as axes of size 1."""
    begin, step, end = how
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    strides = contiguous(x.shape)
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    target = write.program.temporary(shape)
    outer, (into, of_outer) = joined(
        [x.shape[axis] for axis in kept],
        [contiguous([x.shape[axis] for axis in kept]), tuple(strides[axis] for axis in kept)],
    )
    inner, (of_inner,) = joined([x.shape[axis] for axis in axes], [tuple(strides[axis] for axis in axes)])
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    names, below = letters(len(outer)), letters(len(inner), "k")
    element = f"{x.text}[{indices([*names, *below], [*of_outer, *of_inner])}]"
    loop = nest(inner, f"a = {step.format(x=element)};", "k")
    body = (
        f"{{\ndouble a = {begin};\n{loop}\n"
        f"{target.text}[{indices(names, into)}] = (float)({end.format(n=float(count))});\n}}"
    )
    write.program.add(nest(outer, body))
    return target


def _reduction(op: str) -> WrittenOperation:
    def written(write: NodeWriter) -> View:
        x = write.operand(0)
        axes = write.call.whole_numbers(1, "axes")
        if axes is None and write.call.attribute("noop_with_empty_axes", 0):
            return x
        dims = len(x.shape)
        chosen = sorted({axis % dims for axis in axes}) if axes else list(range(dims))
        return reduced(write, x, chosen, _REDUCTIONS[op]).reshaped(write.shape)

    return written


def _global(op: str) -> WrittenOperation:
    def written(write: NodeWriter) -> View:
        x = write.operand(0)
        return reduced(write, x, range(2, len(x.shape)), _REDUCTIONS[op]).reshaped(write.shape)

    return written


def _softmax(last: str) -> WrittenOperation:
    """Elements along an axis: `last` is an expression of an element less the largest, {0}, its exponential, {1}, and
    the sum of these, {2}."""

    def written(write: NodeWriter) -> View:
        x = write.operand(0)
        axis = write.call.axis(-1, len(x.shape))
        largest = reduced(write, x, [axis], _REDUCTIONS["ReduceMax"])
        less = write.each("{0} - {1}", x, largest)
        powers = write.each("expf({0})", less)
        return write.each(last, less, powers, reduced(write, powers, [axis], _REDUCTIONS["ReduceSum"]))

    return written


def _standard(write: NodeWriter, x: View, axes: Sequence[int], epsilon: float) -> View:
    """x less its mean along axes, by the root of its variance there."""
    mean = reduced(write, x, axes, _REDUCTIONS["ReduceMean"])
    less = write.each("{0} - {1}", x, mean, shape=x.shape)
    variance = reduced(write, less, axes, ("0.0", "a + (double){x} * {x}", "a / {n}"))
    return write.each(f"{{0}} / sqrtf({{1}} + {c_float(epsilon)})", less, variance, shape=x.shape)


def _layer_normalization(write: NodeWriter) -> View:
    x = write.operand(0)
    axis = write.call.axis(-1, len(x.shape))
    made = _standard(write, x, range(axis, len(x.shape)), write.call.attribute("epsilon", 1e-5))
    if write.has(1):
        made = write.each("{0} * {1}", made, write.operand(1))
    return write.each("{0} + {1}", made, write.operand(2)) if write.has(2) else made


def _rms_normalization(write: NodeWriter) -> View:
    x = write.operand(0)
    axis = write.call.axis(-1, len(x.shape))
    mean = reduced(write, x, range(axis, len(x.shape)), ("0.0", "a + (double){x} * {x}", "a / {n}"))
    made = write.each(f"{{0}} / sqrtf({{1}} + {c_float(write.call.attribute('epsilon', 1e-5))})", x, mean)
    return write.each("{0} * {1}", made, write.operand(1))


def _of_channels(write: NodeWriter, number: int, dims: int) -> View:
    """A vector over channels as it meets maps of so many dimensions."""
    vector = write.operand(number)
    return vector.reshaped((vector.size, *[1] * (dims - 2)))


def _instance_normalization(write: NodeWriter) -> View:
    x = write.operand(0)
    dims = len(x.shape)
    made = _standard(write, x, range(2, dims), write.call.attribute("epsilon", 1e-5))
    return write.each("{0} * {1} + {2}", made, _of_channels(write, 1, dims), _of_channels(write, 2, dims))


def _group_normalization(write: NodeWriter) -> View:
    x, groups = write.operand(0), int(write.call.attribute("num_groups", 1))
    dims, (batch, channels, *rest) = len(x.shape), x.shape
    grouped = x.reshaped((batch, groups, channels // groups, *rest))
    made = _standard(write, grouped, range(2, dims + 1), write.call.attribute("epsilon", 1e-5)).reshaped(x.shape)
    scale, shift = write.operand(1), write.operand(2)
    if scale.size == groups != channels:
        raise write.node.error("a scale for each group: this cannot be written as C")
    shape = (channels, *[1] * (dims - 2))
    return write.each("{0} * {1} + {2}", made, scale.reshaped(shape), shift.reshaped(shape))


def _batch_normalization(write: NodeWriter) -> View:
    x = write.operand(0)
    scale, shift, mean, variance = (write.constant(number).double() for number in range(1, 5))
    factor = scale / (variance + write.call.attribute("epsilon", 1e-5)).sqrt()
    shape = (len(factor), *[1] * (len(x.shape) - 2))
    folded = [factor.float(), (shift - mean * factor).float()]
    write.kept += folded
    factors, added = (write.program.constant(value).reshaped(shape) for value in folded)
    return write.each("{0} * {1} + {2}", x, factors, added)


def window(
    write: NodeWriter, x: View, out: tuple[int, ...], kernel: Sequence[int], begins: Sequence[int], groups: int = 1
) -> str:
    """The name of a structure of windows over maps, in one dimension those of one line."""
    call, dims = write.call, len(x.shape) - 2
    stride, dilation = two(call.steps("strides", dims), 1), two(call.steps("dilations", dims), 1)
    height, width = two(list(x.shape[2:]), 1)
    numbers = (
        x.shape[0], x.shape[1], out[1], groups, height, width, *two(list(kernel), 1), *stride, *dilation,
        *two(list(begins), 0), *two(list(out[2:]), 1),
    )  # fmt: skip
    name = write.program.new_name("window")
    write.program.constants.append(f"static const NAME_window {name} = {{{', '.join(map(str, numbers))}}};")
    return name


def _lp_normalization(write: NodeWriter) -> View:
    x, order = write.operand(0), int(write.call.attribute("p", 2))
    norm = reduced(write, x, [write.call.axis(-1, len(x.shape))], _REDUCTIONS[f"ReduceL{order}"])
    return write.each("{0} / {1}", x, norm)


def _log_sum_exp(write: NodeWriter) -> View:
    x, axes = write.operand(0), write.call.whole_numbers(1, "axes")
    dims = len(x.shape)
    chosen = sorted({axis % dims for axis in axes}) if axes else list(range(dims))
    largest = reduced(write, x, chosen, _REDUCTIONS["ReduceMax"])
    powers = write.each("expf({0} - {1})", x, largest, shape=x.shape)
    total = reduced(write, powers, chosen, _REDUCTIONS["ReduceSum"])
    return write.each("logf({0}) + {1}", total, largest, shape=total.shape).reshaped(write.shape)


def _pool(write: NodeWriter) -> View:
    x, call = write.operand(0), write.call
    if len([name for name in write.node.outputs if name]) > 1:
        raise write.node.error("places of the largest: this cannot be written as C")
    dims = len(x.shape) - 2
    kernel = list(call.attribute("kernel_shape", ()))
    pads = window_pads(call, x.shape, kernel, call.steps("strides", dims), call.steps("dilations", dims))
    name = window(write, x, write.shape, kernel, pads[:dims])
    bottom, end = two(pads[dims:], 0)
    is_mean, counts = int(write.node.op == "AveragePool"), int(bool(call.attribute("count_include_pad", 0)))
    target = write.program.temporary(write.shape)
    write.program.add(f"NAME_pool(&{name}, {x.text}, {is_mean}, {counts}, {bottom}, {end}, {target.text});")
    return target


def _cumulative_sum(write: NodeWriter) -> View:
    axis = int(write.constant(1)) % len(write.shape)
    if write.call.attribute("reverse", 0) or write.call.attribute("exclusive", 0):
        raise write.node.error("sums that are reversed or exclusive: this cannot be written as C")
    made, step = write.each("{0}", write.operand(0)), contiguous(write.shape)[axis]
    shape = list(write.shape)
    shape[axis] -= 1
    sizes, (along,) = joined(shape, [contiguous(write.shape)])
    place = indices(letters(len(sizes)), along)
    write.program.add(nest(sizes, f"{made.text}[{place} + {step}] += {made.text}[{place}];"))
    return made


REDUCTIONS: dict[str, WrittenOperation] = {
    **{op: _reduction(op) for op in _REDUCTIONS},
    "Softmax": _softmax("{1} / {2}"),
    "LogSoftmax": _softmax("{0} - logf({2})"),
    "LayerNormalization": _layer_normalization, "RMSNormalization": _rms_normalization,
    "InstanceNormalization": _instance_normalization, "GroupNormalization": _group_normalization,
    "BatchNormalization": _batch_normalization, "MaxPool": _pool, "AveragePool": _pool,
    "GlobalAveragePool": _global("ReduceMean"), "GlobalMaxPool": _global("ReduceMax"), "CumSum": _cumulative_sum,
    "LpNormalization": _lp_normalization, "ReduceLogSumExp": _log_sum_exp,
}  # fmt: skip
"""How each is written, by ONNX's name."""
