"""Operations over several elements: sums and means along axes, normalisation, softmax, pooling."""

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from quant.graphs.call import Call, Operation
from quant.graphs.operations.roots import square_root
from simulators.workloads.operations import Pool2d

_Reduction = Callable[[torch.Tensor, list[int], bool], torch.Tensor]

_REDUCTIONS: dict[str, tuple[_Reduction, dict[str, int], dict[str, int]]] = {
    "ReduceSum": (lambda x, axes, keep: x.sum(axes, keepdim=keep), {"add": 1}, {}),
    "ReduceMean": (lambda x, axes, keep: x.mean(axes, keepdim=keep), {"add": 1}, {"multiply": 1}),
    "ReduceMax": (lambda x, axes, keep: x.amax(axes, keepdim=keep), {"max": 1}, {}),
    "ReduceMin": (lambda x, axes, keep: x.amin(axes, keepdim=keep), {"max": 1}, {}),
    "ReduceL1": (lambda x, axes, keep: x.abs().sum(axes, keepdim=keep), {"max": 1, "add": 1}, {}),
    "ReduceL2": (
        lambda x, axes, keep: square_root(x.square().sum(axes, keepdim=keep)),
        {"multiply_add": 1},
        {"divide": 1},
    ),
    "ReduceSumSquare": (lambda x, axes, keep: x.square().sum(axes, keepdim=keep), {"multiply_add": 1}, {}),
    "ReduceLogSum": (lambda x, axes, keep: x.sum(axes, keepdim=keep).log(), {"add": 1}, {"exp": 1}),
    "ReduceProd": (lambda x, axes, keep: _product(x, axes, keep), {"multiply": 1}, {}),
    "ReduceLogSumExp": (lambda x, axes, keep: x.logsumexp(axes, keepdim=keep), {"exp": 1, "add": 1}, {"exp": 1}),
}
"""How each is computed, and its operations for an element that it reads and for one that it leaves."""


def _product(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _reduction(function: _Reduction, of_read: dict[str, int], of_left: dict[str, int]) -> Operation:
    def operation(call: Call) -> torch.Tensor:
        x, axes = call.input(0), call.whole_numbers(1, "axes")
        keep = bool(call.attribute("keepdims", 1))
        if not axes and call.attribute("noop_with_empty_axes", 0):  # every element alone: its square, or magnitude
            x, axes, keep = x[..., None], [-1], False
        result = function(x, axes or list(range(x.dim())), keep)
        if x.is_floating_point():
            counts = {op: count * x.numel() for op, count in of_read.items()}
            for op, count in of_left.items():
                counts[op] = counts.get(op, 0) + count * result.numel()
            call.cost(counts, x.numel(), result.numel())
        return result

    return operation


def _extreme(function: Callable[..., torch.Tensor]) -> Operation:
    def operation(call: Call) -> torch.Tensor:
        x = call.input(0)
        if call.attribute("select_last_index", 0):
            raise call.node.error("select_last_index cannot be computed")
        result = function(x, dim=call.axis(0, x.dim()), keepdim=bool(call.attribute("keepdims", 1)))
        call.cost({"max": x.numel()}, x.numel(), result.numel())
        return result

    return operation


def _softmax(function: Callable[[torch.Tensor, int], torch.Tensor], last: str) -> Operation:
    def operation(call: Call) -> torch.Tensor:
        x = call.input(0)
        n = x.numel()
        call.cost({"max": n, "add": 2 * n, "exp": n, last: n}, n, n)
        if call.scope.graph.opset >= 13:
            return function(x, call.axis(-1, x.dim()))
        rows = x.flatten(call.axis(1, x.dim()))  # of all axes from there on together, before version 13
        return function(rows, -1).reshape(x.shape)

    return operation


def _batch_normalization(call: Call) -> torch.Tensor:
    """With the statistics of training: a factor and a summand of each channel."""
    x, scale, bias, mean, variance = call.inputs
    if call.attribute("training_mode", 0):
        raise call.node.error("training mode: export the network for inference")
    factor = scale / torch.sqrt(variance + call.attribute("epsilon", 1e-5))
    shape = [1, -1] + [1] * (x.dim() - 2)
    call.cost({"multiply_add": x.numel()}, x.numel(), x.numel(), 2 * len(scale))
    return x * call.fitted(factor.reshape(shape), x) + call.fitted((bias - mean * factor).reshape(shape), x)


def _normalise(call: Call, x: torch.Tensor, axes: list[int], epsilon: float) -> tuple[torch.Tensor, ...]:
    """x of mean 0 and variance 1 along axes; the means and 1/deviations."""
    mean = x.mean(axes, keepdim=True)
    inverse = torch.rsqrt((x - mean).square().mean(axes, keepdim=True) + epsilon)
    n, groups = x.numel(), mean.numel()
    counts = {"add": 2 * n + groups, "multiply_add": 2 * n, "multiply": n + 2 * groups, "divide": 2 * groups}
    call.cost(counts, n, n, call.constant_elements(*range(1, min(3, len(call.node.inputs)))))
    return (x - mean) * inverse, mean, inverse


def _layer_normalization(call: Call) -> tuple[torch.Tensor, ...]:
    x = call.input(0)
    axes = list(range(call.axis(-1, x.dim()), x.dim()))
    y, mean, inverse = _normalise(call, x, axes, call.attribute("epsilon", 1e-5))
    y = y * call.fitted(call.input(1), y)
    bias = call.optional(2)
    return (y if bias is None else y + call.fitted(bias, y)), mean, inverse


def _instance_normalization(call: Call) -> torch.Tensor:
    x, shape = call.input(0), [1, -1] + [1] * (call.input(0).dim() - 2)
    y, *_ = _normalise(call, x, list(range(2, x.dim())), call.attribute("epsilon", 1e-5))
    return y * call.fitted(call.input(1).reshape(shape), y) + call.fitted(call.input(2).reshape(shape), y)


def _group_normalization(call: Call) -> torch.Tensor:
    x, groups = call.input(0), int(call.attribute("num_groups", 1))
    rows = x.reshape(x.shape[0], groups, -1)
    y = _normalise(call, rows, [2], call.attribute("epsilon", 1e-5))[0].reshape(x.shape)
    shape = [1, -1] + [1] * (x.dim() - 2)
    if len(call.input(1)) == groups != x.shape[1]:  # before version 21: of each group
        each = x.shape[1] // groups
        scale, bias = (call.input(number).repeat_interleave(each) for number in (1, 2))
    else:
        scale, bias = call.input(1), call.input(2)
    return y * call.fitted(scale.reshape(shape), y) + call.fitted(bias.reshape(shape), y)


def _rms_normalization(call: Call) -> torch.Tensor:
    """x over the root of its mean square along the axes from one on."""
    x = call.input(0)
    axes = list(range(call.axis(-1, x.dim()), x.dim()))
    mean = x.square().mean(axes, keepdim=True)
    n, groups = x.numel(), mean.numel()
    call.cost(
        {"multiply_add": n, "multiply": 2 * n, "add": groups, "divide": 2 * groups}, n, n, call.constant_elements(1)
    )
    return x * torch.rsqrt(mean + call.attribute("epsilon", 1e-5)) * call.fitted(call.input(1), x)


def _mean_variance_normalization(call: Call) -> torch.Tensor:
    x, axes = call.input(0), [int(axis) for axis in call.attribute("axes", (0, 2, 3))]
    return _normalise(call, x, axes, 1e-9)[0]


def _lp_normalization(call: Call) -> torch.Tensor:
    x = call.input(0)
    axis, order = call.axis(-1, x.dim()), int(call.attribute("p", 2))
    n = x.numel()
    call.cost({"multiply_add": n, "multiply": n, "divide": 2 * n // x.shape[axis]}, n, n)
    return functional.normalize(x, order, axis, eps=0.0)


def _global_pool(function: Callable[[torch.Tensor, list[int]], torch.Tensor], op: str) -> Operation:
    def operation(call: Call) -> torch.Tensor:
        x = call.input(0)
        result = function(x, list(range(2, x.dim())))
        call.cost({op: x.numel()} | ({"multiply": result.numel()} if op == "add" else {}), x.numel(), result.numel())
        return result

    return operation


def _pool(call: Call) -> torch.Tensor:
    """The largest or the mean of each window, in one or two dimensions."""
    x, is_max = call.input(0), call.node.op == "MaxPool"
    dims = x.dim() - 2
    kernel = list(call.attribute("kernel_shape", ()))
    if dims not in (1, 2) or len(kernel) != dims:
        raise call.node.error(f"kernel {kernel} over {dims} dimensions: expected one or two")
    stride, dilation = call.steps("strides", dims), call.steps("dilations", dims)
    pads = window_pads(call, x.shape, kernel, stride, dilation)
    begins, ends = pads[:dims], pads[dims:]
    ceil = bool(call.attribute("ceil_mode", 0))
    if is_max:
        flat = [side for axis in range(dims - 1, -1, -1) for side in (begins[axis], ends[axis])]
        padded = functional.pad(x, flat, value=float("-inf"))
        pool = functional.max_pool1d if dims == 1 else functional.max_pool2d
        result = pool(padded, kernel, stride, 0, dilation, ceil)
    else:
        if set(dilation) != {1}:
            raise call.node.error("a mean over dilated windows cannot be computed")
        counts_pads = bool(call.attribute("count_include_pad", 0))
        if begins == ends:
            average = functional.avg_pool1d if dims == 1 else functional.avg_pool2d
            result = average(x, kernel, stride, begins, ceil, counts_pads)
        else:
            result = _mean_of_uneven_windows(x, pads, kernel, stride, ceil, counts_pads)
    if call.run.trace is not None:
        call.run.trace.pool(
            Pool2d(
                name="pool", kind="max" if is_max else "average", channels=x.shape[1], input_size=two(x.shape[2:], 1),
                kernel=two(kernel, 1), stride=two(stride, 1), padding=two([max(b, e) for b, e in zip(begins, ends,
                strict=True)], 0), dilation=two(dilation, 1), steps=x.shape[0], activation_bits=16, output_bits=16,
            )
        )  # fmt: skip
    return result


def _mean_of_uneven_windows(
    x: torch.Tensor, pads: list[int], kernel: list[int], stride: list[int], ceil: bool, counts_pads: bool
) -> torch.Tensor:
    """Sums over the windows of maps whose axes have other margins in front than behind, by the places that count."""
    dims = len(kernel)
    flat = [side for axis in range(dims - 1, -1, -1) for side in (pads[axis], pads[dims + axis])]
    places = torch.ones_like(x)
    padded, counted = functional.pad(x, flat), functional.pad(places, flat, value=float(counts_pads))

    def sums(maps: torch.Tensor) -> torch.Tensor:
        maps = maps.unsqueeze(2) if dims == 1 else maps
        windows = ([1, *kernel], [1, *stride]) if dims == 1 else (kernel, stride)
        made = functional.avg_pool2d(maps, *windows, ceil_mode=ceil, divisor_override=1)
        return made.squeeze(2) if dims == 1 else made

    return sums(padded) / sums(counted)


def two(values: "list[int] | torch.Size", filler: int) -> tuple[int, int]:
    """(height, width) of one or two values; of one it is the width."""
    return (filler, values[0]) if len(values) == 1 else (values[0], values[1])


def window_pads(
    call: Call, shape: Sequence[int], kernel: list[int], stride: list[int], dilation: list[int]
) -> list[int]:
    """Margins of windows over maps of a shape (N, C, …): those at the beginning of each axis, then those at its end."""
    sizes = list(shape[2:])
    pads = _wanted_pads(call, sizes, kernel, stride, dilation)
    call.room([*shape[:2], *(size + sum(pads[i :: len(kernel)]) for i, size in enumerate(sizes))])
    return pads


def _wanted_pads(call: Call, sizes: list[int], kernel: list[int], stride: list[int], dilation: list[int]) -> list[int]:
    automatic = call.attribute("auto_pad", "NOTSET")
    if automatic in ("NOTSET", ""):
        pads = call.margins(len(kernel))
        for i, (size, width, apart) in enumerate(zip(sizes, kernel, dilation, strict=True)):
            # Beyond this windows see nothing, and there may be as many of them as pads let.
            most = size + (width - 1) * apart + 1
            if max(pads[i :: len(kernel)]) > most:
                raise call.node.error(f"pads {pads}: beyond a map of {size} at most {most}")
        return pads
    if automatic == "VALID":
        return [0] * (2 * len(kernel))
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        raise call.node.error(f"auto_pad {automatic}")
    begins, ends = [], []
    for size, width, step, apart in zip(sizes, kernel, stride, dilation, strict=True):
        missing = max(0, (-(-size // step) - 1) * step + (width - 1) * apart + 1 - size)
        less, more = missing // 2, missing - missing // 2
        begins.append(less if automatic == "SAME_UPPER" else more)
        ends.append(more if automatic == "SAME_UPPER" else less)
    return begins + ends


def _cumulative_sum(call: Call) -> torch.Tensor:
    x = call.input(0)
    axis = int(call.input(1))
    if not -x.dim() <= axis < x.dim():
        raise call.node.error(f"axis {axis} of {x.dim()} dimensions")
    call.cost({"add": x.numel()}, x.numel(), x.numel())
    is_reversed = bool(call.attribute("reverse", 0))
    total = (x.flip(axis) if is_reversed else x).cumsum(axis)
    if call.attribute("exclusive", 0):
        total = torch.cat((torch.zeros_like(total.narrow(axis, 0, 1)), total), axis).narrow(axis, 0, x.shape[axis])
    return total.flip(axis) if is_reversed else total


REDUCING: dict[str, Operation] = {
    **{op: _reduction(*how) for op, how in _REDUCTIONS.items()},
    "ArgMax": _extreme(torch.argmax), "ArgMin": _extreme(torch.argmin), "CumSum": _cumulative_sum,
    "Softmax": _softmax(lambda x, axis: torch.softmax(x, axis), "divide"),
    "LogSoftmax": _softmax(lambda x, axis: torch.log_softmax(x, axis), "add"),
    "BatchNormalization": _batch_normalization, "LayerNormalization": _layer_normalization,
    "InstanceNormalization": _instance_normalization, "GroupNormalization": _group_normalization,
    "LpNormalization": _lp_normalization, "RMSNormalization": _rms_normalization,
    "MeanVarianceNormalization": _mean_variance_normalization, "MaxPool": _pool, "AveragePool": _pool,
    "GlobalAveragePool": _global_pool(lambda x, axes: x.mean(axes, keepdim=True), "add"),
    "GlobalMaxPool": _global_pool(lambda x, axes: x.amax(axes, keepdim=True), "max"),
}  # fmt: skip
