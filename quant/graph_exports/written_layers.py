"""LSTM, GRU and RNN of a graph written direction by direction, and put together again as ONNX has them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from quant.exports.onnx_builder import OnnxBuilder
from quant.graph_exports.onnx_recurrence import WrittenDirection, scanned, written_steps
from quant.graphs.graph import Node
from quant.graphs.recurrent_direction import GATES, PLAIN
from quant.own.roundings import GATES as GATE_GRID

if TYPE_CHECKING:
    from quant.graph_exports.onnx_graph import GraphWriter

_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


def written_recurrence(
    writer: "GraphWriter", graph: OnnxBuilder, node: Node, constant: Callable[[str], torch.Tensor | None]
) -> None:
    """Append the nodes that a recurrent layer becomes. Raises InputError for an attribute that cannot be written."""
    directions = _checked(node)
    inputs = [*node.inputs, *[""] * (8 - len(node.inputs))]
    batch_first = bool(node.attributes.get("layout", 0))
    x = graph.op("Transpose", inputs[0], perm=[1, 0, 2]) if batch_first else inputs[0]
    layer = _Layer(writer, graph, node, constant, batch_first)
    made, lasts = [], []
    for d, backward in enumerate(directions):
        h, last = layer.direction(graph.turned(x) if backward else x, d, backward, inputs)
        made.append(graph.op("Unsqueeze", graph.turned(h) if backward else h, _numbers(graph, 1)))
        lasts.append(last)
    y = _joined(graph, made, 1)  # (T, D, B, C)
    results = [graph.op("Transpose", y, perm=[2, 0, 1, 3]) if batch_first else y]
    axis = 1 if batch_first else 0
    for states in zip(*lasts, strict=True):
        each = [graph.op("Unsqueeze", state, _numbers(graph, axis)) for state in states]
        results.append(_joined(graph, each, axis))
    from onnx import helper

    for name, result in zip(node.outputs, results, strict=False):
        if name:
            graph.nodes.append(helper.make_node("Identity", [result], [name], name=graph.name(f"{name}/node")))


def _checked(node: Node) -> tuple[bool, ...]:
    directions = _DIRECTIONS[str(node.attributes.get("direction", "forward"))]
    names = tuple(node.attributes.get("activations", PLAIN[node.op] * len(directions)))
    if tuple(name.lower() for name in names) != tuple(name.lower() for name in PLAIN[node.op] * len(directions)):
        raise node.error(f"activations {', '.join(names)}: only ONNX's default ones can be written")
    if node.attributes.get("clip") or node.attributes.get("input_forget", 0):
        raise node.error("clip and input_forget cannot be written")
    for number, what in ((4, "sequence lengths"), (7, "peepholes")):
        if len(node.inputs) > number and node.inputs[number]:
            raise node.error(f"{what} cannot be written")
    return directions


def _numbers(graph: OnnxBuilder, *values: int) -> str:
    return graph.constant(np.array(values, np.int64))


def _joined(graph: OnnxBuilder, parts: list[str], axis: int) -> str:
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=axis)


class _Layer:
    """What the directions of a layer share."""

    def __init__(
        self, writer: "GraphWriter", graph: OnnxBuilder, node: Node,
        constant: Callable[[str], torch.Tensor | None], batch_first: bool,
    ):  # fmt: skip
        self._writer, self._graph, self._node = writer, graph, node
        self._constant, self._batch_first = constant, batch_first

    def direction(self, x: str, d: int, backward: bool, inputs: list[str]) -> tuple[str, list[str]]:
        """h (T, B, C) of a direction in its order of time, and its last states (B, C)."""
        graph, node, writer = self._graph, self._node, self._writer
        w, u, cells = *(self._site(inputs[n], d, backward, n) for n in (1, 2)), self._cells(inputs[2])
        rows = GATES[node.op] * cells
        given = self._constant(inputs[3]) if inputs[3] else torch.zeros(d + 1, 2 * rows)
        if given is None:
            raise node.error("its biases are computed: this cannot be written")
        both = given[d].view(2, rows)
        resets_after = bool(node.attributes.get("linear_before_reset", 0))
        added, apart = both[0] + both[1], torch.zeros(rows)
        if node.op == "GRU":
            recurrent = both[1].clone()
            if resets_after:
                apart[2 * cells :] = both[1][2 * cells :]
                recurrent[2 * cells :] = 0
            added = both[0] + recurrent
        held = writer.model.weights_at(w, writer.bits[w][0])
        steps = held.steps[:1] if bool((held.steps == held.steps[0]).all()) else held.steps
        axis = None if len(steps) == 1 else 1
        matrix = writer.nodes.weight(
            graph, np.ascontiguousarray(held.codes.T.numpy()),
            steps[0].numpy() if axis is None else steps.contiguous().numpy(), axis, held.bits, w,
        )  # fmt: skip
        product = graph.op("MatMul", writer.rounded(graph, x, w), matrix, name=f"{w}.product")
        sums = writer.result(graph, graph.op("Add", product, graph.constant(added.float().numpy())), w)
        formats = writer.model.formats
        layer = WrittenDirection(
            node.op, u, cells, writer.model.weights_at(u, writer.bits[u][0]), writer.activations(u),
            formats.results[u], formats.states.get(u, GATE_GRID), apart.numpy(), resets_after,
            by_table=node.op == "LSTM" or (node.op == "GRU" and resets_after),
        )  # fmt: skip
        first = [self._first(inputs[n], d, sums, cells) for n in ((5, 6) if node.op == "LSTM" else (5,))]
        return scanned(graph, first, sums, written_steps(writer.nodes, layer, graph), u)

    def _cells(self, name: str) -> int:
        constant = self._constant(name)
        assert constant is not None
        return int(constant.shape[2])

    def _site(self, name: str, d: int, backward: bool, number: int) -> str:
        """The site of a direction's matrix."""
        constant = self._constant(name)
        end = f".{'WU'[number - 1]}{'b' * backward}"
        sites = [] if constant is None else self._writer.sites_of(constant)
        for site in sites:
            matrix = self._writer.model.names.weights[site]
            if constant is not None and matrix.data_ptr() == constant[d].data_ptr() and site.endswith(end):
                return site
        raise self._node.error("only one of its matrices is a site: this cannot be written")

    def _first(self, name: str, d: int, sums: str, cells: int) -> str:
        """A first state (B, C): of the input of all directions, or zeros."""
        graph, axis = self._graph, 1 if self._batch_first else 0
        if name:
            begin, end, axes = (_numbers(graph, value) for value in (d, d + 1, axis))
            return graph.op("Squeeze", graph.op("Slice", name, begin, end, axes), axes)
        batch = graph.op("Shape", sums, start=1, end=2)
        return graph.op("ConstantOfShape", graph.op("Concat", batch, _numbers(graph, cells), axis=0))
