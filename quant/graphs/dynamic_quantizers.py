"""Quantizers that choose their scale anew for each input (DynamicQuantizeLinear), and the products of integers behind
them (MatMulInteger, ConvInteger), as files hold them that were quantized dynamically.

    x → DynamicQuantizeLinear → codes, scale, zero
    MatMulInteger(codes, w, zero, …) → Cast → Mul by scale, or by scale · scale of w

Codes become the real values that they stand for and their scale 1, which leaves every product as it was; then a site
has a format in the quantizer's place, as everywhere. That is so only where the scale comes back behind each product,
which is checked; anything else is refused by node."""

from collections.abc import Iterable, Mapping, Sequence

import torch

from quant.graphs.graph import Node, read_inside

PRODUCTS = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}
"""The operator of numbers that each stands for."""
_DYNAMIC = "DynamicQuantizeLinear"
_FLOAT = 1
"""ONNX's number of float32, into which sums are cast."""


def with_products_of_numbers(
    nodes: Sequence[Node], outputs: Iterable[str], constants: dict[str, torch.Tensor]
) -> list[Node]:
    """The nodes of a graph with products of integers as those of numbers; constants that these read are added. Raises
    InputError for a dynamic quantizer or a product that is not used so."""
    if not any(node.op == _DYNAMIC or node.op in PRODUCTS for node in nodes):
        return list(nodes)
    makers = {name: node for node in nodes for name in node.outputs if name}
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in (*node.inputs, *read_inside(node)):
            readers.setdefault(name, []).append(node)
    left = frozenset(outputs)
    made: list[Node] = []
    for node in nodes:
        if node.op == _DYNAMIC:
            _check_quantizer(node, readers, left)
        if node.op in PRODUCTS:
            constants[_step_of(node)] = torch.ones(())
            made += _of_numbers(node, makers, readers, left)
        else:
            made.append(node)
    return made


def _check_quantizer(node: Node, readers: Mapping[str, list[Node]], left: frozenset[str]) -> None:
    codes, scale, zero = node.outputs
    if left & {codes, scale, zero}:
        raise node.error("the graph leaves its codes, or their scale")
    for reader in readers.get(codes, []) + readers.get(zero, []):
        is_product = reader.op in PRODUCTS and reader.inputs[0] == codes and reader.inputs[2:3] == (zero,)
        if not (is_product or (reader.op == "DequantizeLinear" and reader.inputs == (codes, scale, zero))):
            raise node.error(
                f"its codes are read by {reader.name} ({reader.op}): expected MatMulInteger or ConvInteger"
            )

    for reader in readers.get(scale, []):
        if reader.op != "Mul" and not (reader.op == "DequantizeLinear" and reader.inputs[0] == codes):
            raise node.error(f"its scale is read by {reader.name} ({reader.op}): expected a Mul")


def _of_numbers(
    node: Node, makers: Mapping[str, Node], readers: Mapping[str, list[Node]], left: frozenset[str]
) -> list[Node]:
    """What multiplies the values behind a dynamic quantizer's codes with integers less their zero point."""
    codes, weights, *zeros = node.inputs
    maker = makers.get(codes)
    if maker is None or maker.op != _DYNAMIC or zeros[:1] != [maker.outputs[2]]:
        raise node.error("its input is not that of a DynamicQuantizeLinear, with its zero point")
    _check_scaled(node, maker.outputs[1], makers, readers, left)
    numbers, axis = f"{node.outputs[0]} of {node.op}: w", 0 if node.op == "ConvInteger" else -1
    read = (weights, _step_of(node), *filter(None, zeros[1:2]))
    return [
        Node(f"{node.name} w", "DequantizeLinear", read, (numbers,), {"axis": axis}),
        Node(node.name, PRODUCTS[node.op], (codes, numbers), node.outputs, node.attributes),
    ]


def _step_of(node: Node) -> str:
    """The name of the step of a product's integers, which is 1."""
    return f"{node.outputs[0]} of {node.op}: step"


def _check_scaled(
    node: Node, scale: str, makers: Mapping[str, Node], readers: Mapping[str, list[Node]], left: frozenset[str]
) -> None:
    """Raises InputError unless the sums of a product are cast to numbers, and these multiplied by the scale."""
    (sums,) = node.outputs
    casts = readers.get(sums, [])
    if sums in left or not casts or any(each.op != "Cast" or each.attributes.get("to") != _FLOAT for each in casts):
        raise node.error("its sums are read as they are: expected a Cast to float32")
    for cast in casts:
        values = cast.outputs[0]
        for reader in readers.get(values, []):
            factor = next((name for name in reader.inputs if name != values), "")
            product = makers.get(factor)
            is_scale = factor == scale or (product is not None and product.op == "Mul" and scale in product.inputs)
            if reader.op != "Mul" or not is_scale:
                raise node.error(f"its sums are read by {reader.name} ({reader.op}) without the scale of its input")
        if values in left or values not in readers:
            raise node.error("its sums leave the graph without the scale of its input")
