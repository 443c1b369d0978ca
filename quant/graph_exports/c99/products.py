"""Products with matrices: those of sites in whole numbers, those of two activations in float."""

from math import prod

import torch

from quant.graph_exports.c99.c_program import View
from quant.graph_exports.c99.loops import broadcast, contiguous, indices, letters, nest
from quant.graph_exports.c99.reductions import window
from quant.graph_exports.c99.writer import NodeWriter, WrittenOperation
from quant.graphs.operations.reducing import window_pads


def multiplied(write: NodeWriter, site: str, x: View, rows: int, groups: int = 1, bias: View | None = None) -> View:
    """Vectors x (…, K), or (…, G, K), by a site's matrices: (…, M)."""
    columns = x.shape[-1]
    vectors = x.size // (columns * groups)
    write.program.code_elements = max(write.program.code_elements, x.size)
    target = write.program.temporary((*x.shape[:-1], rows // groups))
    text = "NULL" if bias is None else bias.text
    write.program.add(
        f"NAME_multiply(&{write.sites.of(site)}, {x.text}, {vectors}, {groups}, {text}, {target.text}, codes, row);"
    )
    return target


def _linear(write: NodeWriter) -> View:
    bias = write.operand(2) if write.has(2) else None
    return multiplied(write, write.read[0], write.computed(0), len(write.call.input(1)), bias=bias)


def _matmul(write: NodeWriter) -> View:
    a, b = write.call.input(0), write.call.input(1)
    if not write.read:
        return _of_activations(write, write.operand(0), write.operand(1))
    site = write.read[0]
    if write.views[1] is not None:
        x = _swapped(write, write.computed(1))
        return _swapped(write, multiplied(write, site, x, len(a)))
    stack = b.shape[:-2]
    if prod(stack) == 1:
        return multiplied(write, site, write.computed(0), b.shape[-1]).reshaped(write.shape)
    groups = prod(stack)
    x = write.computed(0)
    grouped = x.reshaped((*x.shape[: -len(stack) - 2], groups, *x.shape[-2:]))
    y = multiplied(write, site, _moved(write, grouped, -3, -2), groups * b.shape[-1], groups)
    return _moved(write, y, -2, -3).reshaped(write.shape)


def _einsum(write: NodeWriter) -> View:
    """A product with the matrices of a site, by index: what all share are groups, as in an evaluation."""
    if not write.read:
        raise write.node.error("a product of two activations by index: this cannot be written as C")
    terms, _, target = str(write.call.attribute("equation", "")).replace(" ", "").partition("->")
    read = 0 if write.views[1] is None else 1
    of_x, of_w = terms.split(",")[read], terms.split(",")[1 - read]
    shared = [label for label in of_w if label in of_x and label in target]
    summed = [label for label in of_w if label in of_x and label not in target]
    made = [label for label in of_w if label not in of_x]
    rest = [label for label in of_x if label not in of_w]
    x = write.computed(read)
    sizes = dict(zip(of_x, x.shape, strict=True)) | dict(zip(of_w, write.call.input(1 - read).shape, strict=True))
    groups, rows, columns = (prod(sizes[label] for label in labels) for labels in (shared, made, summed))
    grouped = write.transposed(x, [of_x.index(label) for label in rest + shared + summed])
    outer = [sizes[label] for label in rest]
    y = multiplied(write, write.read[0], grouped.reshaped((*outer, groups, columns)), groups * rows, groups)
    labels = rest + shared + made
    return write.transposed(y.reshaped(tuple(sizes[x] for x in labels)), [labels.index(label) for label in target])


def _swapped(write: NodeWriter, x: View) -> View:
    return _moved(write, x, -1, -2)


def _moved(write: NodeWriter, x: View, source: int, to: int) -> View:
    dims = len(x.shape)
    axes = list(range(dims))
    axes.insert(to % dims, axes.pop(source % dims))
    return write.transposed(x, axes)


def _of_activations(write: NodeWriter, a: View, b: View) -> View:
    """A product of two activations (…, M, K) and (…, K, N)."""
    wide_a = a if len(a.shape) > 1 else a.reshaped((1, *a.shape))
    wide_b = b if len(b.shape) > 1 else b.reshaped((*b.shape, 1))
    stack = tuple(torch.broadcast_shapes(wide_a.shape[:-2], wide_b.shape[:-2]))
    rows, inner, columns = wide_a.shape[-2], wide_a.shape[-1], wide_b.shape[-1]
    shape = (*stack, rows, columns)
    target = write.program.temporary(shape)
    names, into = letters(len(shape)), contiguous(shape)
    of_a = [step * rows * inner for step in broadcast(wide_a.shape[:-2], stack)]
    of_b = [step * inner * columns for step in broadcast(wide_b.shape[:-2], stack)]
    left = f"{a.text}[{indices([*names, 'k'], [*of_a, inner, 0, 1])}]"
    right = f"{b.text}[{indices([*names, 'k'], [*of_b, 0, 1, columns])}]"
    body = (
        f"{{\ndouble sum = 0.0;\nfor (int k = 0; k < {inner}; k++)\n    sum += (double){left} * {right};\n"
        f"{target.text}[{indices(names, into)}] = (float)sum;\n}}"
    )
    write.program.add(nest(shape, body))
    return target.reshaped(write.shape)


def _convolution(write: NodeWriter) -> View:
    x, kernel, call = write.computed(0), list(write.call.input(1).shape[2:]), write.call
    dims = len(kernel)
    pads = window_pads(call, x.shape, kernel, call.steps("strides", dims), call.steps("dilations", dims))
    return _windows(write, x, kernel, pads, is_back=0)


def _transposed_convolution(write: NodeWriter) -> View:
    x, kernel = write.computed(0), list(write.call.input(1).shape[2:])
    return _windows(write, x, kernel, write.call.margins(len(kernel)), is_back=1)


def _windows(write: NodeWriter, x: View, kernel: list[int], pads: list[int], is_back: int) -> View:
    groups = int(write.call.attribute("group", 1))
    name = window(write, x, write.shape, kernel, pads[: len(kernel)], groups)
    write.program.code_elements = max(write.program.code_elements, x.size)
    bias = write.operand(2).text if write.has(2) else "NULL"
    target = write.program.temporary(write.shape)
    site = write.sites.of(write.read[0])
    write.program.add(f"NAME_convolve(&{site}, &{name}, {is_back}, {x.text}, {bias}, {target.text}, codes, row);")
    return target


PRODUCTS: dict[str, WrittenOperation] = {
    "Linear": _linear, "MatMul": _matmul, "Einsum": _einsum, "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
}  # fmt: skip
"""How each is written, by ONNX's name."""
