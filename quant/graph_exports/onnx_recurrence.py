"""Recurrent layers as loops of ONNX (Scan) that round where the candidate's evaluation does: products of codes, sums,
gates and states (`quant.graphs.recurrence`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from quant.arithmetic import kernels
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Weights
from quant.exports.onnx_builder import OnnxBuilder
from quant.graph_exports.grid_nodes import GridNodes, on_grid
from quant.own.roundings import GATES

ENDS = 1 << 15


@dataclass(frozen=True)
class WrittenDirection:
    """One direction of a recurrent layer of C cells and G gates, as it is written."""

    op: str
    """LSTM, GRU or RNN."""
    name: str
    """What its values are called."""
    cells: int
    """Cells of the direction: C."""
    weights: Weights
    """(G·C, C) codes of the recurrent weights."""
    grid: Grid
    """Grid of the state that the product reads."""
    sums: Grid
    """Grid of sums before a gate."""
    memory: Grid
    """Grid of what is kept that is no gate."""
    bias: np.ndarray
    """(G·C,) Bias of the recurrent product, where it stands apart from the input's: n's of GRU alone."""
    resets_after: bool
    by_table: bool
    """Whether gates are those of the compiled steps, which tables hold; else ONNX's own functions, rounded."""


Steps = Callable[[OnnxBuilder, str, Sequence[str]], list[str]]


def written_steps(nodes: GridNodes, layer: WrittenDirection, outer: OnnxBuilder) -> Steps:
    """The step of a layer: new states of the input's part of the sums (B, G·C) and of the states before. Weights are
    put into the graph around the loop."""
    step = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[layer.op]
    return lambda graph, u, states: step(_Body(nodes, layer, graph, outer), u, states)


class _Body:
    """Writes the parts of a step."""

    def __init__(self, nodes: GridNodes, layer: WrittenDirection, graph: OnnxBuilder, outer: OnnxBuilder):
        self.nodes, self.layer, self.graph, self.outer = nodes, layer, graph, outer

    def op(self, kind: str, *inputs: str) -> str:
        return self.graph.op(kind, *inputs)

    def product(self, h: str, rows: slice = slice(None)) -> str:
        """The recurrent product with some rows of the weights, on the grid of the sums; of whole codes, exactly."""
        layer, graph = self.layer, self.graph
        codes = layer.weights.codes[rows].numpy()
        name = layer.name if rows == slice(None) else f"{layer.name}.rows{rows.start or 0}"
        one = np.ones((), np.float32)
        matrix = self.nodes.weight(self.outer, np.ascontiguousarray(codes.T), one, None, layer.weights.bits, name)
        read = self.nodes.codes(graph, h, layer.grid, f"{layer.name}.h")
        scale = (layer.weights.steps[rows] * layer.grid.step).numpy().astype(np.float32)
        sums = graph.op("MatMul", read, matrix, name=f"{name}.sums")
        return self.sum(graph.op("Mul", sums, graph.constant(scale)))

    def sum(self, x: str) -> str:
        return on_grid(self.nodes, self.graph, x, self.layer.sums, f"{self.layer.name}.sum")

    def gate(self, function: str, x: str) -> str:
        """Sigmoid or Tanh of a sum."""
        return self.function(function, self.sum(x), self.layer.sums)

    def function(self, function: str, x: str, grid: Grid) -> str:
        """Sigmoid or Tanh of what lies on a 16-bit grid."""
        graph = self.graph
        if not self.layer.by_table:
            return self.bounded(graph.op(function, x))
        table = graph.constant(_table(function, grid), name=f"{function}_of_steps_of_{grid.step!r}")
        code = graph.op("Mul", x, graph.constant(np.float32(1.0 / grid.step), np.float32))
        place = graph.cast(graph.op("Add", code, graph.constant(np.float32(ENDS), np.float32)), np.int64)
        return graph.op("Gather", table, place, name=function.lower())

    def bounded(self, x: str) -> str:
        return on_grid(self.nodes, self.graph, x, GATES, f"{self.layer.name}.gate")

    def memory(self, x: str) -> str:
        return on_grid(self.nodes, self.graph, x, self.layer.memory, f"{self.layer.name}.memory")

    def part(self, x: str, number: int, count: int = 1) -> str:
        """The part of a value's last axis from a gate on."""
        cells = self.layer.cells
        begin, end, axis = ([number * cells], [(number + count) * cells], [-1])
        names = [self.graph.constant(np.array(values, np.int64)) for values in (begin, end, axis)]
        return self.graph.op("Slice", x, *names)

    def less_from_one(self, x: str) -> str:
        return self.op("Sub", self.graph.constant(np.float32(1), np.float32), x)


def _lstm(body: _Body, u: str, states: Sequence[str]) -> list[str]:
    h, c = states
    total = body.op("Add", u, body.product(h))
    i, o, f = (body.gate("Sigmoid", body.part(total, k)) for k in range(3))
    g = body.gate("Tanh", body.part(total, 3))
    new = body.memory(body.op("Add", body.op("Mul", f, c), body.memory(body.op("Mul", i, g))))
    return [body.bounded(body.op("Mul", o, body.function("Tanh", new, body.layer.memory))), new]


def _gru(body: _Body, u: str, states: Sequence[str]) -> list[str]:
    (h,), cells = states, body.layer.cells
    if body.layer.resets_after:
        a = body.product(h)
        z, r = (body.gate("Sigmoid", body.op("Add", body.part(u, k), body.part(a, k))) for k in range(2))
        bias = body.graph.constant(body.layer.bias[2 * cells :].astype(np.float32))
        inner = body.sum(body.op("Mul", r, body.sum(body.op("Add", body.part(a, 2), bias))))
    else:
        a = body.product(h, slice(2 * cells))
        z, r = (body.gate("Sigmoid", body.op("Add", body.part(u, k), body.part(a, k))) for k in range(2))
        inner = body.product(body.bounded(body.op("Mul", r, h)), slice(2 * cells, None))
    n = body.gate("Tanh", body.op("Add", body.part(u, 2), inner))
    entering = body.bounded(body.op("Mul", body.less_from_one(z), n))
    return [body.bounded(body.op("Add", entering, body.op("Mul", z, h)))]


def _rnn(body: _Body, u: str, states: Sequence[str]) -> list[str]:
    return [body.gate("Tanh", body.op("Add", u, body.product(states[0])))]


@cache
def _table(function: str, grid: Grid) -> np.ndarray:
    """Values (65536,) of a function for every code of a 16-bit grid, by the code that evaluates candidates."""
    of_code = {"Sigmoid": kernels.sigmoid_code, "Tanh": kernels.tanh_code}[function]
    values = (np.arange(-ENDS, ENDS).astype(np.float32) * np.float32(grid.step)).tolist()
    codes = np.array([of_code(np.float32(value)) for value in values], np.float32)
    return codes * np.float32(GATES.step)


def scanned(graph: OnnxBuilder, states: Sequence[str], sequence: str, step: Steps, name: str) -> tuple[str, list[str]]:
    """A loop over the first axis of a sequence: what it makes of h at each step, and the last states."""
    from onnx import ValueInfoProto, helper

    body = OnnxBuilder(graph)
    before = [body.name(f"{name}.before") for _ in states]
    element = body.name(f"{name}.element")
    after = step(body, element, before)
    kept, out = [body.op("Identity", x) for x in after], body.op("Identity", after[0])
    inside = helper.make_graph(
        body.nodes, name, [ValueInfoProto(name=each) for each in (*before, element)],
        [ValueInfoProto(name=each) for each in (*kept, out)],
    )  # fmt: skip
    last, made = [graph.name(f"{name}.last") for _ in states], graph.name(f"{name}.h")
    node = helper.make_node("Scan", [*states, sequence], [*last, made], name=made, body=inside, num_scan_inputs=1)
    graph.nodes.append(node)
    return made, last
