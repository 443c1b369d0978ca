"""ONNX files as graphs. Nothing in a file is run; what it holds is looked at before it is used."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from quant.graphs.dynamic_quantizers import with_products_of_numbers
from quant.graphs.expanding import expanded
from quant.graphs.graph import Graph, GraphInput, Node
from quant.graphs.onnx_tensors import FOUR_BITS, computed_dtype, tensor_of
from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    import onnx

MOST_BYTES = (1 << 31) - 1
"""Bytes of an ONNX file: what a protocol buffer may have. Larger models keep their weights in a file beside."""
OPSETS = range(7, 27)
"""Versions of ONNX's operators that can be read."""
MOST_NODES = 200_000
"""Nodes of a graph, of those inside others too."""
_DOMAINS = ("", "ai.onnx")


def read_onnx(path: Path) -> Graph:
    """The graph of an ONNX file. Raises InputError for one that is not whole or not sound, for data outside its folder,
    and for operators of another domain than ONNX's own."""
    import onnx
    from google.protobuf.message import DecodeError

    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(f"{path}: {size:,} bytes: an ONNX file has less than 2 GiB; larger weights lie beside it")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (DecodeError, RecursionError) as error:
        raise InputError(f"{path}: not an ONNX file, or not a whole one: {str(error).splitlines()[0]}") from None
    try:
        return _graph_of_model(model, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {_printed(str(error))}") from None


def _graph_of_model(model: "onnx.ModelProto", folder: Path) -> Graph:
    if not model.HasField("graph") or not model.graph.node:
        raise InputError("not an ONNX file, or not a whole one: it has no graph")
    versions = [entry.version for entry in model.opset_import if entry.domain in _DOMAINS]
    if not versions or versions[0] not in OPSETS:
        raise InputError(
            f"operators of version {versions[0] if versions else 'unknown'}: expected {OPSETS[0]} to {OPSETS[-1]}"
        )
    if model.functions:
        raise InputError(f"function {model.functions[0].name} of its own: export the model with functions inlined")
    reader = _Reader(folder, versions[0])
    return reader.graph(model.graph, set())


class _Reader:
    """Reads a graph and those inside its nodes."""

    def __init__(self, folder: Path, opset: int):
        self._folder = folder
        self._opset = opset
        self._nodes = 0

    def graph(self, proto: "onnx.GraphProto", outside: AbstractSet[str]) -> Graph:
        """The graph, whose nodes may read values of those around it (`outside`)."""
        if proto.sparse_initializer:
            raise InputError("sparse tensors cannot be read")
        self._nodes += len(proto.node)
        if self._nodes > MOST_NODES:
            raise InputError(f"more than {MOST_NODES:,} nodes")
        _check_words(entry.name for entries in (proto.initializer, proto.input, proto.output) for entry in entries)
        constants = {entry.name: self._tensor(entry, f"tensor {entry.name}") for entry in proto.initializer}
        narrow = [entry.name for entry in proto.initializer if entry.data_type in FOUR_BITS]
        narrow += [node.output[0] for node in proto.node if _makes_four_bits(node)]
        inputs = tuple(self._input(entry) for entry in proto.input if entry.name not in constants)
        own = set(constants) | {entry.name for entry in inputs}
        known = set(outside) | own
        makers = {name: node for node in proto.node for name in node.output if name}
        nodes = []
        for number, node_proto in enumerate(proto.node):
            node = self._node(node_proto, number, known)
            _check_order(node, known, makers)
            for name in filter(None, node.outputs):
                if name in own:
                    raise node.error(f"value {name} is made twice")
                own.add(name)
                known.add(name)
            nodes += expanded(node)
        outputs = tuple(entry.name for entry in proto.output)
        if missing := [name for name in outputs if name not in known]:
            raise InputError(f"graph {proto.name}: no node makes its output {missing[0]}")
        nodes = with_products_of_numbers(nodes, outputs, constants)
        return Graph(proto.name, inputs, outputs, tuple(nodes), constants, self._opset, dict.fromkeys(narrow, 4))

    def _tensor(self, proto: "onnx.TensorProto", whose: str) -> torch.Tensor:
        return tensor_of(proto, self._folder, whose)

    def _input(self, proto: "onnx.ValueInfoProto") -> GraphInput:
        kind = proto.type.WhichOneof("value")
        if kind not in ("tensor_type", None):
            raise InputError(f"input {proto.name}: a {kind.removesuffix('_type')}: expected a tensor")
        tensor = proto.type.tensor_type
        dtype = computed_dtype(tensor.elem_type, f"input {proto.name}") if tensor.elem_type else None
        shape = None
        if kind and tensor.HasField("shape"):
            sizes = tensor.shape.dim
            shape = tuple(
                size.dim_value if size.WhichOneof("value") == "dim_value" else size.dim_param or None for size in sizes
            )
            if negative := [size for size in shape if isinstance(size, int) and size < 0]:
                raise InputError(f"input {proto.name}: size {negative[0]}")
        return GraphInput(proto.name, dtype, shape)

    def _node(self, proto: "onnx.NodeProto", number: int, known: AbstractSet[str]) -> Node:
        _check_words((proto.name, proto.op_type, proto.domain, *proto.input, *proto.output))
        name = proto.name or (proto.output[0] if proto.output else f"number {number}")
        if proto.domain not in _DOMAINS:
            raise InputError(f"node {name} ({proto.op_type}): an operator of domain {proto.domain}, not ONNX's own")
        if not any(proto.output):
            raise InputError(f"node {name} ({proto.op_type}): it makes nothing")
        _check_words(entry.name for entry in proto.attribute)
        attributes = {entry.name: self._attribute(entry, name, known) for entry in proto.attribute}
        return Node(name, proto.op_type, tuple(proto.input), tuple(proto.output), attributes)

    def _attribute(self, proto: "onnx.AttributeProto", node: str, known: AbstractSet[str]) -> Any:
        kind = proto.type
        if kind == proto.FLOAT:
            return proto.f
        if kind == proto.INT:
            return proto.i
        if kind == proto.STRING:
            return proto.s.decode(errors="replace")
        if kind == proto.FLOATS:
            return tuple(proto.floats)
        if kind == proto.INTS:
            return tuple(proto.ints)
        if kind == proto.STRINGS:
            return tuple(word.decode(errors="replace") for word in proto.strings)
        if kind == proto.TENSOR:
            return self._tensor(proto.t, f"node {node}, {proto.name}")
        if kind == proto.GRAPH:
            return self.graph(proto.g, known)
        raise InputError(f"node {node}: attribute {proto.name} is of a kind that cannot be read")


def _makes_four_bits(node: "onnx.NodeProto") -> bool:
    """Whether it is a constant of integers of 4 bits, which are held in bytes here."""
    values = [entry for entry in node.attribute if entry.name == "value"]
    return node.op_type == "Constant" and bool(node.output) and any(each.t.data_type in FOUR_BITS for each in values)


def _printed(text: str) -> str:
    """A text of a file on one line, without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _check_words(words: Iterable[str | bytes]) -> None:
    """Raises InputError for a name that errors could not print: a protocol buffer has bytes where a text is none."""
    for word in words:
        if isinstance(word, bytes) or not word.isprintable():
            raise InputError(f"name {word!r}: expected a text that can be printed")


def _check_order(node: Node, known: AbstractSet[str], makers: dict[str, Any]) -> None:
    for name in node.inputs:
        if name and name not in known:
            maker = makers.get(name)
            if maker is None:
                raise node.error(f"it reads {name}, which nothing makes")
            raise node.error(f"it reads {name}, which a later node makes: a cycle, or nodes out of order")
