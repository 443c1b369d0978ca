"""One step of each cell as nodes of ONNX: `integer_step` of the cells (`quant.networks`), line by line. Codes are
float64."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from quant.arithmetic.whole_numbers import GATE_FRACTION
from quant.exports.integer_program import IntegerLayer
from quant.exports.onnx_arithmetic import gate, rounded_sum, saturate, shift
from quant.exports.onnx_builder import OnnxBuilder

ONE = float(1 << GATE_FRACTION)


@dataclass(frozen=True)
class StepInputs:
    """What one step of one direction reads; names of values in a graph."""

    u: str
    """(G·C,) The input's part of the sums."""
    a: str
    """(G·C,) The recurrent product; empty for cells without one."""
    h: str
    """(C,) The state before."""
    kept: tuple[str, ...]
    """(C,) each: what else was kept before; nothing for cells of one state."""
    vectors: np.ndarray
    """(R·C,) Biases of the recurrent product, or SRU's (4, C), or LRU's (3, C)."""


Step = Callable[[OnnxBuilder, IntegerLayer, StepInputs], tuple[str, ...]]


def _parts(graph: OnnxBuilder, x: str, layer: IntegerLayer, count: int) -> list[str]:
    """Consecutive parts (C,) of a value."""
    ends = [graph.constant(np.array([i * layer.cells], np.int64)) for i in range(count + 1)]
    return [graph.op("Slice", x, ends[i], ends[i + 1]) for i in range(count)]


def _mixed(graph: OnnxBuilder, z: str, new: tuple[str, int], old: tuple[str, int], to: int) -> str:
    """(1 - z) new + z old, the first product rounded by itself."""
    rest = graph.op("Sub", graph.constant(ONE), z)
    entering = rounded_sum(graph, (graph.op("Mul", rest, new[0]), GATE_FRACTION + new[1]), to=to)
    return rounded_sum(graph, (entering, to), (graph.op("Mul", z, old[0]), GATE_FRACTION + old[1]), to=to)


def _output(graph: OnnxBuilder, o: str, c: str, memory: int) -> str:
    """o tanh(c)."""
    squashed = gate(graph, "tanh", c, memory)
    return rounded_sum(graph, (graph.op("Mul", o, squashed), 2 * GATE_FRACTION), to=GATE_FRACTION)


def _lstm(graph: OnnxBuilder, layer: IntegerLayer, inputs: StepInputs) -> tuple[str, ...]:
    sums, memory = layer.sums, layer.memory
    total = saturate(graph, graph.op("Add", inputs.a, inputs.u))
    functions = ("sigmoid", "sigmoid", "tanh", "sigmoid")
    parts = zip(functions, _parts(graph, total, layer, 4), strict=True)
    i, f, g, o = (gate(graph, function, x, sums) for function, x in parts)
    entering = rounded_sum(graph, (graph.op("Mul", i, g), 2 * GATE_FRACTION), to=memory)
    (before,) = inputs.kept
    kept = graph.op("Mul", f, before), GATE_FRACTION + memory
    c = rounded_sum(graph, kept, (entering, memory), to=memory)
    return _output(graph, o, c, memory), c


def _gru(graph: OnnxBuilder, layer: IntegerLayer, inputs: StepInputs) -> tuple[str, ...]:
    sums = layer.sums
    u, a = _parts(graph, inputs.u, layer, 3), _parts(graph, inputs.a, layer, 3)
    r, z = (gate(graph, "sigmoid", saturate(graph, graph.op("Add", a[k], u[k])), sums) for k in range(2))
    biased = saturate(graph, graph.op("Add", a[2], graph.constant(inputs.vectors.astype(np.float64))))
    inner = rounded_sum(graph, (graph.op("Mul", r, biased), GATE_FRACTION + sums), to=sums)
    n = gate(graph, "tanh", saturate(graph, graph.op("Add", u[2], inner)), sums)
    return (_mixed(graph, z, (n, GATE_FRACTION), (inputs.h, GATE_FRACTION), GATE_FRACTION),)


def _ligru(graph: OnnxBuilder, layer: IntegerLayer, inputs: StepInputs) -> tuple[str, ...]:
    memory = layer.memory
    z, n = _parts(graph, saturate(graph, graph.op("Add", inputs.a, inputs.u)), layer, 2)
    z, n = gate(graph, "sigmoid", z, layer.sums), graph.op("Max", n, graph.constant(0.0))
    n = saturate(graph, shift(graph, n, layer.sums - memory))
    return (_mixed(graph, z, (n, memory), (inputs.h, memory), memory),)


def _sru(graph: OnnxBuilder, layer: IntegerLayer, inputs: StepInputs) -> tuple[str, ...]:
    sums, memory, held = layer.sums, layer.memory, layer.held
    x, *parts = _parts(graph, inputs.u, layer, 3)
    v = [graph.constant(row.astype(np.float64)) for row in inputs.vectors]
    (before,) = inputs.kept
    f, r = (
        gate(graph, "sigmoid", rounded_sum(
            graph, (part, sums), (graph.op("Mul", v[k], before), held + memory), (v[k + 2], held), to=sums,
        ), sums)
        for k, part in enumerate(parts)
    )  # fmt: skip
    fine = max(memory, sums)
    change = graph.op("Sub", shift(graph, before, memory - fine), shift(graph, x, sums - fine))
    c = rounded_sum(graph, (x, sums), (graph.op("Mul", f, change), GATE_FRACTION + fine), to=memory)
    return _output(graph, r, c, memory), c


def _mingru(graph: OnnxBuilder, layer: IntegerLayer, inputs: StepInputs) -> tuple[str, ...]:
    sums, memory = layer.sums, layer.memory
    z, n = _parts(graph, inputs.u, layer, 2)
    z = gate(graph, "sigmoid", z, sums)
    rest = graph.op("Sub", graph.constant(ONE), z)
    kept = rounded_sum(graph, (graph.op("Mul", rest, inputs.h), GATE_FRACTION + memory), to=memory)
    return (rounded_sum(graph, (kept, memory), (graph.op("Mul", z, n), GATE_FRACTION + sums), to=memory),)


def _lru(graph: OnnxBuilder, layer: IntegerLayer, inputs: StepInputs) -> tuple[str, ...]:
    sums, memory = layer.sums, layer.memory
    u_real, u_imaginary, a = _parts(graph, inputs.u, layer, 3)
    real, imaginary, scale = (graph.constant(row.astype(np.float64)) for row in inputs.vectors)
    s_real, s_imaginary = inputs.kept

    def turned(join: str, first: str, second: str, entering: str) -> str:
        both = graph.op(join, graph.op("Mul", real, first), graph.op("Mul", imaginary, second))
        scaled = graph.op("Mul", scale, entering)
        return rounded_sum(graph, (both, GATE_FRACTION + memory), (scaled, GATE_FRACTION + sums), to=memory)

    next_real = turned("Sub", s_real, s_imaginary, u_real)
    next_imaginary = turned("Add", s_imaginary, s_real, u_imaginary)
    gated = graph.op("Mul", gate(graph, "sigmoid", a, sums), next_real)
    return rounded_sum(graph, (gated, GATE_FRACTION + memory), to=memory), next_real, next_imaginary


ONNX_STEPS: Mapping[str, Step] = {
    "sru": _sru, "lstm": _lstm, "gru": _gru, "ligru": _ligru, "mingru": _mingru, "lru": _lru,
}  # fmt: skip
"""The step of each cell that has one, by the cell's name: the states after a step, h first."""
