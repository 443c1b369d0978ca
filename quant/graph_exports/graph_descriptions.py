"""A graph as a description in JSON and tensors beside it, and back."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field

from quant.files.records import FileRecord
from quant.graphs.graph import Graph, GraphInput, Node, inner_graphs
from quant.graphs.onnx_files import MOST_NODES, OPSETS
from simulators.inputs.errors import InputError

_DTYPES = {
    str(kind).removeprefix("torch."): kind
    for kind in (
        torch.float32, torch.float64, torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint32,
        torch.int64, torch.uint64, torch.bool,
    )
}  # fmt: skip
"""Types of values by their names."""


class NodeRecord(FileRecord):
    """A `quant.graphs.graph.Node`; attributes are what `_attribute` reads."""

    name: str
    op: str
    inputs: Annotated[tuple[str, ...], Field(strict=False)]
    outputs: Annotated[tuple[str, ...], Field(strict=False)]
    attributes: dict[str, Any]


class InputRecord(FileRecord):
    """A `quant.graphs.graph.GraphInput`."""

    name: str
    dtype: str | None
    shape: Annotated[tuple[int | str | None, ...] | None, Field(strict=False)]


class GraphRecord(FileRecord):
    """A `quant.graphs.graph.Graph`; constants are numbers of tensors beside it."""

    name: str
    opset: Annotated[int, Field(ge=OPSETS[0], le=OPSETS[-1])]
    inputs: list[InputRecord]
    outputs: Annotated[tuple[str, ...], Field(strict=False)]
    nodes: Annotated[list[NodeRecord], Field(max_length=MOST_NODES)]
    constants: dict[str, int]
    stored_bits: dict[str, int]


class TensorNumbers:
    """Gives tensors numbers: those that lie in one place have one, for nodes that read it share a site."""

    def __init__(self) -> None:
        self.tensors: list[torch.Tensor] = []
        self._numbers: dict[tuple[int, torch.dtype, tuple[int, ...]], int] = {}

    def number(self, tensor: torch.Tensor) -> int:
        """The number of a tensor."""
        place = tensor.data_ptr() if tensor.numel() else id(tensor)
        key = (place, tensor.dtype, tuple(tensor.shape))
        if key not in self._numbers:
            self._numbers[key] = len(self.tensors)
            self.tensors.append(tensor)
        return self._numbers[key]


def described_graph(graph: Graph, numbers: TensorNumbers) -> dict[str, Any]:
    """A graph as what JSON holds, its tensors by their numbers; constants that nothing reads are left out."""
    read = read_names(graph)
    return {
        "name": graph.name,
        "opset": graph.opset,
        "inputs": [
            {"name": entry.name, "dtype": None if entry.dtype is None else str(entry.dtype).removeprefix("torch."),
             "shape": None if entry.shape is None else list(entry.shape)}
            for entry in graph.inputs
        ],
        "outputs": list(graph.outputs),
        "nodes": [
            {"name": node.name, "op": node.op, "inputs": list(node.inputs), "outputs": list(node.outputs),
             "attributes": {name: _described(value, numbers) for name, value in node.attributes.items()}}
            for node in graph.nodes
        ],
        "constants": {name: numbers.number(value) for name, value in graph.constants.items() if name in read},
        "stored_bits": {name: bits for name, bits in graph.stored_bits.items() if name in read},
    }  # fmt: skip


def read_names(graph: Graph) -> set[str]:
    """Names of values that a graph's nodes read, those of graphs inside among them, or that it gives."""
    read = set(graph.outputs)
    for node in graph.nodes:
        read.update(node.inputs)
        for inner in inner_graphs(node):
            read |= read_names(inner)
    return read


def _described(value: Any, numbers: TensorNumbers) -> Any:
    """An attribute: words, whole numbers and truths as they are, all else as a mapping that says its kind."""
    if isinstance(value, Graph):
        return {"graph": described_graph(value, numbers)}
    if isinstance(value, torch.Tensor):
        return {"tensor": numbers.number(value)}
    if isinstance(value, tuple | list):
        return {"list": [_described(item, numbers) for item in value]}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if value is None or isinstance(value, bool | int | str):
        return value
    raise InputError(f"an attribute of type {type(value).__name__} cannot be written")


def graph_from(record: GraphRecord, tensors: Sequence[torch.Tensor]) -> Graph:
    """The graph of a description. Raises InputError for what no graph is."""

    def tensor(number: object) -> torch.Tensor:
        if type(number) is not int or not 0 <= number < len(tensors):
            raise InputError(f"tensor {number!r}: there are {len(tensors)}")
        return tensors[number]

    return Graph(
        record.name,
        tuple(GraphInput(entry.name, _dtype(entry.dtype), entry.shape) for entry in record.inputs),
        record.outputs,
        tuple(
            Node(node.name, node.op, node.inputs, node.outputs,
                 {name: _attribute(value, tensor, tensors) for name, value in node.attributes.items()})
            for node in record.nodes
        ),
        {name: tensor(number) for name, number in record.constants.items()},
        record.opset,
        record.stored_bits,
    )  # fmt: skip


def _dtype(name: str | None) -> torch.dtype | None:
    if name is None:
        return None
    if name not in _DTYPES:
        raise InputError(f"type {name}: expected one of {', '.join(_DTYPES)}")
    return _DTYPES[name]


def _attribute(value: Any, tensor: Callable[[object], torch.Tensor], tensors: Sequence[torch.Tensor]) -> Any:
    if not isinstance(value, Mapping):
        if isinstance(value, list):
            raise InputError("an attribute is a bare list: expected {list: […]}")
        return value
    if len(value) == 1:
        ((kind, content),) = value.items()
        if kind == "graph":
            return graph_from(GraphRecord.model_validate(content), tensors)
        if kind == "tensor":
            return tensor(content)
        if kind == "list" and isinstance(content, list):
            return tuple(_attribute(item, tensor, tensors) for item in content)
        if kind == "float" and content in ("inf", "-inf", "nan"):
            return float(content)
    raise InputError(f"an attribute of the kinds {', '.join(map(str, value))}: expected graph, tensor, list or float")
