"""Control flow: branches and loops around other graphs, which see the values around them."""

import torch

from quant.graphs.call import Call, Operation, Result, ValueOrigin
from quant.graphs.graph import Graph
from quant.graphs.running import run_nodes

MOST_ITERATIONS = 1 << 17
"""Iterations of a loop: 20 minutes of frames of 10 ms."""


def _graph(call: Call, name: str) -> Graph:
    graph = call.node.attributes.get(name)
    if not isinstance(graph, Graph):
        raise call.node.error(f"its {name} is missing")
    return graph


def _inside(
    call: Call, graph: Graph, values: list[torch.Tensor], origins: list[ValueOrigin]
) -> tuple[list[torch.Tensor], list[ValueOrigin]]:
    """The outputs of a graph inside the node, and where they come from."""
    if len(values) != len(graph.inputs):
        raise call.node.error(f"{len(values)} values for the {len(graph.inputs)} inputs of {graph.name}")
    scope = call.inner(graph)
    for entry, value, origin in zip(graph.inputs, values, origins, strict=True):
        scope.values[entry.name] = value
        scope.origins[entry.name] = origin
    run_nodes(scope, call.run)
    return [scope.value(name) for name in graph.outputs], [scope.origin_of(name) for name in graph.outputs]


def _if(call: Call) -> tuple[Result, ...]:
    """The branch that is not taken costs nothing."""
    condition = call.input(0)
    if condition.numel() != 1:
        raise call.node.error(f"a condition of sizes {list(condition.shape)}")
    outputs, _ = _inside(call, _graph(call, "then_branch" if bool(condition) else "else_branch"), [], [])
    return tuple(outputs)


def _given_origins(call: Call, first: int) -> list[ValueOrigin]:
    return [call.scope.origin_of(name) for name in call.node.inputs[first:]]


def _loop(call: Call) -> tuple[Result, ...]:
    body, most, going = _graph(call, "body"), call.optional(0), call.optional(1)
    if most is None and going is None:
        raise call.node.error("neither a number of iterations nor a condition")
    count = MOST_ITERATIONS + 1 if most is None else int(most)
    carried = [call.input(i) for i in range(2, len(call.node.inputs))]
    origins = _given_origins(call, 2)
    kept = len(carried)
    goes_on = going is None or bool(going)
    scanned: list[list[torch.Tensor]] = [[] for _ in body.outputs[1 + kept :]]
    iteration = 0
    while goes_on and iteration < count:
        if iteration >= MOST_ITERATIONS:
            raise call.node.error(f"more than {MOST_ITERATIONS:,} iterations")
        values = [torch.tensor(iteration), torch.tensor(True), *carried]
        outputs, after = _inside(call, body, values, [ValueOrigin(), ValueOrigin(), *origins])
        goes_on = bool(outputs[0])
        carried, origins = outputs[1 : 1 + kept], after[1 : 1 + kept]
        for values_of, value in zip(scanned, outputs[1 + kept :], strict=True):
            values_of.append(value)
        iteration += 1
    if not iteration and scanned:
        raise call.node.error("no iterations: what it stacks has no sizes")
    for values_of in scanned:
        call.room((len(values_of), *values_of[0].shape))
    return *carried, *(torch.stack(values_of) for values_of in scanned)


def _scan(call: Call) -> tuple[Result, ...]:
    body, sliced = _graph(call, "body"), int(call.attribute("num_scan_inputs", 1))
    inputs = call.inputs
    kept = len(inputs) - sliced
    if call.scope.graph.opset < 9 or kept < 0:
        raise call.node.error("expected the form of version 9 or later")
    made = len(body.outputs) - kept
    axes = list(call.attribute("scan_input_axes", (0,) * sliced))
    backward = list(call.attribute("scan_input_directions", (0,) * sliced))
    out_axes = list(call.attribute("scan_output_axes", (0,) * made))
    out_backward = list(call.attribute("scan_output_directions", (0,) * made))
    slices = [x.unbind(axis) for x, axis in zip(inputs[kept:], axes, strict=True)]
    slices = [part[::-1] if turned else part for part, turned in zip(slices, backward, strict=True)]
    if len({len(part) for part in slices}) != 1 or not slices[0]:
        raise call.node.error("what it scans must have steps, all as many")
    state, origins = inputs[:kept], _given_origins(call, 0)
    stacked: list[list[torch.Tensor]] = [[] for _ in range(made)]
    for step in zip(*slices, strict=True):
        outputs, after = _inside(call, body, [*state, *step], origins)
        state, origins = outputs[:kept], [*after[:kept], *origins[kept:]]
        for values, value in zip(stacked, outputs[kept:], strict=True):
            values.append(value)
    results = []
    for values, axis, turned in zip(stacked, out_axes, out_backward, strict=True):
        results.append(torch.stack(values[::-1] if turned else values, axis))
    return *state, *results


CONTROL: dict[str, Operation] = {"If": _if, "Loop": _loop, "Scan": _scan}
