"""A candidate of a network that is a graph as an ONNX model: its nodes as they are, its sites behind the quantizers of
a format, results of products on their 16-bit grids, recurrent layers as loops that round where the evaluation does."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from quant.exports.onnx_builder import IR_VERSION, OPSET, OnnxBuilder
from quant.graph_exports.graph_descriptions import read_names
from quant.graph_exports.grid_nodes import GridNodes, on_grid
from quant.graph_exports.newer_operators import as_newest
from quant.graph_exports.weight_constants import WEIGHT_INPUTS
from quant.graph_exports.written_layers import written_recurrence
from quant.graphs.graph import Graph, Node, inner_graphs
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import Bits, name_of
from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    import onnx

_OF_ONE_TYPE = ("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
MOST_BYTES = (1 << 31) - 1


class GraphWriter:
    """Writes a graph, and those inside it, for a candidate."""

    def __init__(self, model: GraphModel, bits: Bits, nodes: GridNodes):
        self.model, self.bits, self.nodes = model, bits, nodes
        values = model.first_values()
        self.kinds = {name: value.dtype for name, value in values.items()}
        """Types of the values of the outermost graph."""
        self.open_shapes = {name: (None,) * value.dim() for name, value in values.items()}
        """Open sizes for each of these values, one a dimension."""
        self._sites: dict[int, list[str]] = {}
        for site in bits:
            nodes.check(site, bits[site][0], self.activations(site))
            self._sites.setdefault(model.names.place(site).storage, []).append(site)

    def activations(self, site: str) -> Any:
        """The grid of what a site's product reads."""
        return self.model.formats.inputs[site][self.bits[site][1]]

    def sites_of(self, tensor: torch.Tensor) -> list[str]:
        """The sites whose weights lie in the memory of a constant."""
        return self._sites.get(tensor.untyped_storage().data_ptr(), [])

    def rounded(self, graph: OnnxBuilder, x: str, site: str) -> str:
        """What a site's product reads."""
        return on_grid(self.nodes, graph, x, self.activations(site), f"{site}.activations")

    def result(self, graph: OnnxBuilder, y: str, site: str) -> str:
        """What a site's product leaves."""
        return on_grid(self.nodes, graph, y, self.model.formats.results[site], f"{site}.results")

    def weight(self, graph: OnnxBuilder, site: str, constant: torch.Tensor, turned: bool) -> str:
        """A constant that is the weights of a site, as integers in its own sizes, or turned."""
        held, place = self.model.weights_at(site, self.bits[site][0]), self.model.names.place(site)
        elements = constant.untyped_storage().nbytes() // constant.element_size()
        if len(place.numbers) != elements or constant.numel() != elements:
            raise InputError(f"site {site}: it is a part of a constant: this cannot be written")
        codes, steps = torch.zeros(elements), torch.zeros(elements)
        codes[place.numbers] = held.codes.flatten()
        steps[place.numbers] = held.steps[:, None].expand_as(held.codes).flatten()
        codes, steps = codes.view(constant.shape), steps.view(constant.shape)
        if turned:
            codes, steps = codes.mT, steps.mT
        axis, scale = _along(steps, site)
        return self.nodes.weight(graph, codes.contiguous().numpy(), scale, axis, held.bits, site)


def _along(steps: torch.Tensor, site: str) -> tuple[int | None, np.ndarray]:
    """The axis along which steps differ, None for none, and the steps along it."""
    first = steps.flatten()[0]
    if bool((steps == first).all()):
        return None, first.numpy()
    for axis in range(steps.dim()):
        along = steps.movedim(axis, 0).flatten(1)
        if bool((along == along[:, :1]).all()):
            return axis, along[:, 0].contiguous().numpy()
    raise InputError(f"site {site}: steps of channels that lie along several axes cannot be written")


def graph_model_file(model: GraphModel, bits: Bits, nodes: GridNodes) -> bytes:
    """The ONNX model of a candidate. Raises InputError for widths that the format has not, and for what cannot be
    written, by its node."""
    from onnx import helper

    graph = OnnxBuilder()
    writer = GraphWriter(model, bits, nodes)
    for name in _all_names(model.graph):
        graph._names.setdefault(name, 0)
    kinds, shapes = writer.kinds, writer.open_shapes
    initializers = _nodes_of(writer, graph, model.graph)
    built = helper.make_graph(
        graph.nodes,
        model.name,
        [_value(entry.name, kinds[entry.name], entry.shape or shapes[entry.name]) for entry in model.graph.inputs],
        [_value(name, kinds[name], shapes[name]) for name in model.graph.outputs],
        [*initializers, *graph.constants.values()],
    )
    opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in nodes.domains)]
    made = helper.make_model(built, producer_name="mohaq", ir_version=IR_VERSION, opset_imports=opsets)
    helper.set_model_props(made, {"bits": name_of(bits)})
    if made.ByteSize() > MOST_BYTES:
        raise InputError(f"{made.ByteSize():,} bytes: an ONNX file has less than 2 GiB")
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def _nodes_of(writer: GraphWriter, builder: OnnxBuilder, graph: Graph) -> list["onnx.TensorProto"]:
    """Append the nodes of a graph, and return the constants that it holds itself."""
    from onnx import numpy_helper

    written = _Written(writer, builder, graph)
    for node in graph.nodes:
        written.add(node)
    read = {name for node in builder.nodes for name in _inputs_of(node)} | set(graph.outputs)
    constants = {**graph.constants, **written.constants}
    return [numpy_helper.from_array(value.numpy(), name) for name, value in constants.items() if name in read]


def _inputs_of(node: "onnx.NodeProto") -> list[str]:
    """Names that a node reads, and those of graphs inside it."""
    names = list(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node if attribute.HasField("g") else ():
            names += _inputs_of(inner)
        names += [entry.name for entry in attribute.g.output]
    return names


class _Written:
    """Takes a graph's nodes in order."""

    def __init__(self, writer: GraphWriter, builder: OnnxBuilder, graph: Graph):
        self._writer, self._builder, self._graph = writer, builder, graph
        self.constants: dict[str, torch.Tensor] = {}

    def add(self, node: Node) -> None:
        """Write a node."""
        if node.op in ("QuantizeLinear", "DequantizeLinear"):
            if node.op == "DequantizeLinear" and node.inputs[0] in {entry.name for entry in self._graph.inputs}:
                raise node.error("integers that the network is given: they cannot be written beside sites' own")
            self._plain(Node(node.name, "Identity", node.inputs[:1], node.outputs))
            return
        place = self._weight_place(node)
        if node.op == "Gather":
            self._lookup(node)
        elif place is None:
            self._plain(node)
        elif node.op in ("LSTM", "GRU", "RNN"):
            written_recurrence(self._writer, self._builder, node, self._constant)
        else:
            self._product(node, *place)

    def _constant(self, name: str) -> torch.Tensor | None:
        found = self._graph.constants.get(name)
        return self._writer.model.graph.constants.get(name) if found is None else found

    def _weight_place(self, node: Node) -> tuple[int, str] | None:
        """Which input of a node is the weights of a site, and of which."""
        for number in WEIGHT_INPUTS.get(node.op, ()):
            constant = self._constant(node.inputs[number]) if number < len(node.inputs) else None
            sites = [] if constant is None else self._writer.sites_of(constant)
            if len(sites) > 1 and node.op not in ("LSTM", "GRU", "RNN"):
                raise node.error(f"its weights are those of {' and '.join(sites)}: this cannot be written")
            if sites:
                return number, sites[0]
        return None

    def _lookup(self, node: Node) -> None:
        """Rows of a constant; where it is the weights of a site, of the integers that its product has, turned back."""
        table = self._constant(node.inputs[0])
        site = None if table is None else self._writer.model.names.of_table(node, table)
        if table is not None and site is not None:
            held = self._writer.weight(self._builder, site, table, turned=True)
            rows = self._builder.op("Transpose", held, name=f"{site}.table", perm=[1, 0])
            node = replace(node, inputs=(rows, *node.inputs[1:]))
        self._plain(node)

    def _product(self, node: Node, number: int, site: str) -> None:
        builder, writer = self._builder, self._writer
        constant = self._constant(node.inputs[number])
        assert constant is not None
        inputs = list(node.inputs)
        inputs[1 - number] = writer.rounded(builder, inputs[1 - number], site)
        inputs[number] = writer.weight(builder, site, constant, node.op == "Linear")
        made = builder.name(f"{site}.product")
        if node.op == "Linear":
            y = builder.op("MatMul", inputs[0], inputs[1], name=made)
            y = builder.op("Add", y, inputs[2], name=f"{made}.biased") if len(inputs) > 2 and inputs[2] else y
        else:
            self._emit(Node(node.name, node.op, tuple(inputs), (made,), node.attributes))
            y = made
        self._emit(Node(f"{site}.out", "Identity", (writer.result(builder, y, site),), node.outputs))

    def _plain(self, node: Node) -> None:
        newest, constants = as_newest(node, self._graph)
        self.constants |= constants
        self._emit(self._of_one_type(newest) if node.op in _OF_ONE_TYPE else newest)

    def _of_one_type(self, node: Node) -> Node:
        """A node whose constant operands have the type of the others, which ONNX does not convert."""
        kinds = [self._writer.kinds.get(name) for name in node.inputs]
        wanted = next((kind for kind in kinds if kind is not None and kind.is_floating_point), None)
        inputs = []
        for name, kind in zip(node.inputs, kinds, strict=True):
            constant = self._constant(name)
            if wanted is not None and kind is not None and kind != wanted and constant is not None:
                inputs.append(f"{name}/{wanted}")
                self.constants[inputs[-1]] = constant.to(wanted)
            else:
                inputs.append(name)
        return replace(node, inputs=tuple(inputs))

    def _emit(self, node: Node) -> None:
        from onnx import helper

        op = "MatMul" if node.op == "Linear" else node.op
        if node.op == "Linear":  # of what the data do not pass through: no site
            raise node.error("no data pass through it: it has no formats to be written with")
        made = helper.make_node(op, list(node.inputs), list(node.outputs), name=self._builder.name(f"{node.name}/node"))
        made.attribute.extend(
            helper.make_attribute(name, self._attribute(value, node)) for name, value in node.attributes.items()
        )
        self._builder.nodes.append(made)

    def _attribute(self, value: Any, node: Node) -> Any:
        from onnx import helper, numpy_helper

        if isinstance(value, torch.Tensor):
            return numpy_helper.from_array(value.numpy())
        if isinstance(value, Graph):
            inner = OnnxBuilder(self._builder)
            initializers = _nodes_of(self._writer, inner, value)
            inputs = [_value(entry.name, entry.dtype, entry.shape) for entry in value.inputs]
            outputs = [_value(name, None, None) for name in value.outputs]
            return helper.make_graph(inner.nodes, value.name or node.name, inputs, outputs, initializers)
        return list(value) if isinstance(value, tuple) else value


def _value(name: str, dtype: torch.dtype | None, shape: tuple[int | str | None, ...] | None) -> "onnx.ValueInfoProto":
    from onnx import ValueInfoProto, helper

    if dtype is None:
        return ValueInfoProto(name=name)
    number = helper.np_dtype_to_tensor_dtype(torch.zeros((), dtype=dtype).numpy().dtype)
    return helper.make_tensor_value_info(name, number, None if shape is None else list(shape))


def _all_names(graph: Graph) -> set[str]:
    names = read_names(graph) | set(graph.constants)
    for node in graph.nodes:
        names |= {node.name, *node.outputs}
        for inner in inner_graphs(node):
            names |= _all_names(inner)
    return names
