"""Products with matrices: those of the network are sites, and those of two activations are not."""

from math import prod

import torch
from torch.nn import functional

from quant.graphs.call import Call, Operation
from quant.graphs.operations.reducing import two, window_pads
from simulators import Conv2d


def site_product(
    call: Call, x: torch.Tensor, weight: torch.Tensor, read: int, bias: torch.Tensor | None
) -> torch.Tensor:
    """Vectors x (…, G, K) by the G matrices of a site (G, M, K): (…, G, M). `read` is the number of the node's input
    that x comes from."""
    groups, rows, columns = weight.shape
    site = call.run.sites.of(call.node, weight)
    call.room((*x.shape[: -1 if groups == 1 else -2], groups * rows))
    call.run.sites.note(site, weight.flatten(0, 1), call.grid(read), _stored_bits(call, read))
    held = call.run.roundings
    matrix = held.weight(site, weight.flatten(0, 1))
    x = held.input(site, x)
    if groups == 1:
        y = functional.linear(x, matrix, bias)
    else:
        y = torch.einsum("...gk,gmk->...gm", x, matrix.view(weight.shape))
        y = y if bias is None else y + bias
    vectors = prod(x.shape[:-2]) if groups > 1 else prod(x.shape[:-1])
    if call.run.trace is not None and vectors and rows and columns:
        if groups == 1:
            call.run.trace.product(site, rows, columns, vectors)
        else:
            call.run.trace.convolution(
                site, _columns_of_maps(site, columns * groups, rows * groups, groups, vectors), 1
            )
    return held.result(site, y)


def _stored_bits(call: Call, read: int) -> int | None:
    """The width that the weights beside input `read` are stored at."""
    return call.stored_bits(1 - read) if len(call.node.inputs) > 1 else None


def _columns_of_maps(site: str, inputs: int, outputs: int, groups: int, vectors: int) -> Conv2d:
    """Grouped products of vectors as the convolution of one position each that they are."""
    return Conv2d(
        name=site, in_channels=inputs, out_channels=outputs, groups=groups, kernel=(1, 1), input_size=(1, vectors),
        steps=1, weight_bits=16, activation_bits=16, output_bits=16,
    )  # fmt: skip


def _linear(call: Call) -> torch.Tensor:
    """x (…, K) by W (M, K), with its bias."""
    weight = call.input(1)
    return site_product(call, call.input(0), weight.unsqueeze(0), 0, call.optional(2))


def _matmul(call: Call) -> torch.Tensor:
    a, b = call.input(0), call.input(1)
    if min(a.dim(), b.dim()) < 1:
        raise call.node.error("it multiplies a single number")
    if call.is_constant(0) and a.dim() == 2 and b.dim() >= 2 and not call.is_constant(1):
        return site_product(call, b.mT, a.unsqueeze(0), 1, None).mT
    if call.is_constant(1) and b.dim() >= 2:
        stack = b.shape[:-2]
        if prod(stack) == 1:
            y = site_product(call, a, _turned(call, b, 1), 0, None)
            return y.reshape(*(1 for _ in range(b.dim() - max(a.dim(), 2))), *y.shape)
        if a.shape[-len(stack) - 2 : -2] == stack:
            groups = prod(stack)
            x = a.reshape(*a.shape[: -len(stack) - 2], groups, *a.shape[-2:]).movedim(-3, -2)
            y = site_product(call, x, _turned(call, b, groups), 0, None).movedim(-2, -3)
            return y.reshape(*a.shape[:-1], b.shape[-1])
    return _of_activations(call, a, b)


def _turned(call: Call, stack: torch.Tensor, groups: int) -> torch.Tensor:
    """Matrices (…, K, M) as a site has them, (G, M, K)."""
    return call.run.sites.kept(stack, "turned", lambda w: w.reshape(groups, *w.shape[-2:]).mT)


def _of_activations(call: Call, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A product of two activations, 16 bits wide each."""
    stack = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    of_a, of_b = a.shape[-2:-1], b.shape[-1:] if b.dim() > 1 else ()
    call.room((*stack, *of_a, *of_b))
    if min(a.dim(), b.dim()) > 2:  # torch writes both operands out for the whole stack
        call.room((*stack, *of_a, a.shape[-1]))
        call.room((*stack, a.shape[-1], *of_b))
    result = torch.matmul(a, b)
    if call.run.trace is not None and a.is_floating_point():
        rows, vectors = (b.shape[-1] if b.dim() > 1 else 1), (a.shape[-2] if a.dim() > 1 else 1)
        if result.numel():
            call.run.trace.activations(rows, a.shape[-1], vectors, result.numel() // (rows * vectors))
    return result


def _gemm(call: Call) -> torch.Tensor:
    """What is left of it where neither operand is a matrix of the network."""
    a, b, c = call.input(0), call.input(1), call.optional(2)
    a, b = (a.mT if call.attribute("transA", 0) else a), (b.mT if call.attribute("transB", 0) else b)
    alpha, beta = float(call.attribute("alpha", 1.0)), float(call.attribute("beta", 1.0))
    y = _of_activations(call, a, b) * alpha
    if c is None:
        return y
    call.room(torch.broadcast_shapes(y.shape, c.shape))
    return y + c * beta


def _einsum(call: Call) -> torch.Tensor:
    """Sums of products by index: with a constant, whose matrices are a site's, or of two activations."""
    equation = str(call.attribute("equation", "")).replace(" ", "")
    terms, _, target = equation.partition("->")
    operands = terms.split(",")
    if twice := [label for operand in operands for label in operand if operand.count(label) > 1]:
        raise call.node.error(f"{equation}: index {twice[0]} twice in one operand: a diagonal cannot be computed")
    read = 0 if call.is_constant(1) else 1
    if len(operands) != 2 or not target or "." in equation:
        raise call.node.error(f"{equation}: expected two operands and a result")
    of_x, of_w = operands[read], operands[1 - read]
    shared = [label for label in of_w if label in of_x and label in target]
    summed = [label for label in of_w if label in of_x and label not in target]
    made = [label for label in of_w if label not in of_x]
    rest = [label for label in of_x if label not in of_w]
    if set(target) != set(shared + made + rest) or len(set(target)) != len(target) or not summed:
        raise call.node.error(f"{equation}: not a product of matrices")
    x, w = call.input(read), call.input(1 - read)
    if (x.dim(), w.dim()) != (len(of_x), len(of_w)):
        raise call.node.error(f"{equation}: operands of {x.dim()} and {w.dim()} dimensions")
    sizes = dict(zip(of_x, x.shape, strict=True))
    for label, size in zip(of_w, w.shape, strict=True):
        before = sizes.setdefault(label, size)
        if before != size and (1 not in (before, size) or call.is_constant(1 - read)):
            raise call.node.error(f"{equation}: index {label} of sizes {before} and {size}")
        sizes[label] = size if before == 1 else before
    groups, rows, columns = (prod(sizes[label] for label in labels) for labels in (shared, made, summed))
    if not call.is_constant(1 - read):  # the second operand is x here, and its own indices the rows
        call.room([sizes[label] for label in target])
        result = torch.einsum(equation, *call.inputs)
        if call.run.trace is not None and result.numel():
            own = prod(sizes[label] for label in rest)
            call.run.trace.activations(own, columns, rows, groups)
        return result
    order = [of_w.index(label) for label in shared + made + summed]
    matrices = call.run.sites.kept(w, equation, lambda w: w.permute(order).reshape(groups, rows, columns))
    x = x.permute([of_x.index(label) for label in rest + shared + summed])
    x = x.reshape(*(sizes[label] for label in rest), *([groups] if groups > 1 else []), columns)
    y = site_product(call, x, matrices, read, None)
    y = y.reshape([sizes[label] for label in rest + shared + made])
    return y.permute([(rest + shared + made).index(label) for label in target])


def _convolution(call: Call) -> torch.Tensor:
    x, weight, bias = call.input(0), call.input(1), call.optional(2)
    dims = weight.dim() - 2
    if dims not in (1, 2) or x.dim() != weight.dim():
        raise call.node.error(f"over {x.dim() - 2} dimensions with a kernel of {dims}: expected one or two")
    if not call.is_constant(1):
        raise call.node.error("its kernel is computed: only a constant one is a site")
    kernel, groups = list(weight.shape[2:]), int(call.attribute("group", 1))
    stride, dilation = call.steps("strides", dims), call.steps("dilations", dims)
    pads = window_pads(call, x.shape, kernel, stride, dilation)
    begins, ends = pads[:dims], pads[dims:]
    apart = zip(x.shape[2:], begins, ends, kernel, dilation, stride, strict=True)
    call.room((len(x), len(weight), *(max(0, (n + b + e - (k - 1) * d - 1) // s + 1) for n, b, e, k, d, s in apart)))
    site = call.run.sites.of(call.node, weight)
    call.run.sites.note(site, weight.flatten(1), call.grid(0), call.stored_bits(1))
    held = call.run.roundings
    x = held.input(site, x)
    less = [min(pair) for pair in zip(begins, ends, strict=True)]
    if begins != ends:
        flat = [s for a in range(dims - 1, -1, -1) for s in (begins[a] - less[a], ends[a] - less[a])]
        x = functional.pad(x, flat)
    convolve = functional.conv1d if dims == 1 else functional.conv2d
    y = convolve(x, held.weight(site, weight.flatten(1)).view(weight.shape), bias, stride, less, dilation, groups)
    if call.run.trace is not None:
        layer = Conv2d(
            name=site, in_channels=x.shape[1], out_channels=len(weight), kernel=two(kernel, 1),
            input_size=two(x.shape[2:], 1), stride=two(stride, 1), padding=two(less, 0), dilation=two(dilation, 1),
            groups=groups, steps=1, weight_bits=16, activation_bits=16, output_bits=16,
        )  # fmt: skip
        call.run.trace.convolution(site, layer, x.shape[0])
    return held.result(site, y)


def _transposed_convolution(call: Call) -> torch.Tensor:
    """Every element of the map by its column of the kernel, and the overlapping results added: how hardware does it."""
    x, weight, bias = call.input(0), call.input(1), call.optional(2)
    dims = weight.dim() - 2
    if dims not in (1, 2) or x.dim() != weight.dim() or not call.is_constant(1):
        raise call.node.error("expected a constant kernel of one or two dimensions over a map of as many")
    if "output_shape" in call.node.attributes or call.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise call.node.error("output_shape and auto_pad: expected pads")
    kernel, groups = list(weight.shape[2:]), int(call.attribute("group", 1))
    stride, dilation = call.steps("strides", dims), call.steps("dilations", dims)
    pads = call.margins(dims)
    extra = list(call.attribute("output_padding", (0,) * dims))
    if len(extra) != dims or any(not 0 <= e < max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise call.node.error(f"output_padding {extra}: expected {dims} numbers, each less than its stride or dilation")
    if groups < 1 or weight.shape[0] % groups:
        raise call.node.error(f"group {groups} of {weight.shape[0]} channels")
    apart = zip(x.shape[2:], kernel, stride, dilation, extra, strict=True)
    each, columns = weight.shape[1], weight.shape[0] // groups
    # The whole map, of which pads are cut off afterwards.
    call.room((len(x), groups * each, *((size - 1) * s + (k - 1) * d + 1 + e for size, k, s, d, e in apart)))
    # (G · M, K, …): rows are what a matrix makes, as for any site
    turned = call.run.sites.kept(
        weight, f"transposed {groups}",
        lambda w: w.unflatten(0, (groups, columns)).transpose(1, 2).reshape(groups * each, columns, *kernel),
    )  # fmt: skip
    site = call.run.sites.of(call.node, turned)
    call.run.sites.note(site, turned.flatten(1), call.grid(0), call.stored_bits(1))
    held = call.run.roundings
    rounded = held.weight(site, turned.flatten(1)).view(groups, each, columns, *kernel)
    back = rounded.transpose(1, 2).reshape(weight.shape)
    convolve = functional.conv_transpose1d if dims == 1 else functional.conv_transpose2d
    y = convolve(held.input(site, x), back, None, stride, 0, 0, groups, dilation)
    grown = [side for axis in range(dims - 1, -1, -1) for side in (-pads[axis], extra[axis] - pads[dims + axis])]
    y = functional.pad(y, grown)
    y = y if bias is None else y + call.fitted(bias.view(-1, *[1] * dims), y)
    if call.run.trace is not None and len(x):
        positions, taps = prod(x.shape[2:]) * len(x), prod(kernel)
        call.run.trace.convolution(site, _columns_of_maps(site, x.shape[1], groups * each * taps, groups, positions), 1)
        made = positions * groups * each * taps
        call.cost({"add": made}, made, y.numel())
    return held.result(site, y)


PRODUCTS: dict[str, Operation] = {
    "Linear": _linear, "MatMul": _matmul, "Gemm": _gemm, "Einsum": _einsum, "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
}  # fmt: skip
