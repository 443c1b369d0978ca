"""Graphs computed, node by node."""

from collections.abc import Mapping

import torch

from quant.graphs.call import Call, Operation, Pass, Result, Scope, ValueOrigin
from quant.graphs.graph import Graph, Node, read_inside
from quant.graphs.graph_records import Noted
from quant.graphs.graph_trace import GraphTrace
from quant.graphs.moves import MOVES
from simulators.inputs.errors import InputError

WRONG_INPUT = (
    RuntimeError,
    IndexError,
    ValueError,
    TypeError,
    KeyError,
    ArithmeticError,
    AttributeError,
    AssertionError,
)
"""What torch raises for shapes, types and indices that do not fit."""


def run_graph(graph: Graph, given: Mapping[str, torch.Tensor], run: Pass) -> dict[str, torch.Tensor]:
    """The outputs of a graph by name. Raises InputError for an input that is missing or does not fit, and for a node
    that cannot be computed, which it names."""
    scope = Scope(graph)
    for expected in graph.inputs:
        if expected.name not in given:
            raise InputError(f"input {expected.name}: missing; the graph's are {_names(graph)}")
        scope.values[expected.name] = given[expected.name]
    if unknown := [name for name in given if name not in scope.values]:
        raise InputError(f"input {unknown[0]}: the graph has none of that name; its are {_names(graph)}")
    run_nodes(scope, run)
    return {name: scope.value(name) for name in graph.outputs}


def run_nodes(scope: Scope, run: Pass) -> None:
    """Compute all nodes of a scope's graph, whose inputs are there."""
    for node in scope.graph.nodes:
        compute(node, scope, run)


def compute(node: Node, scope: Scope, run: Pass) -> None:
    """Compute a node and put what it makes into its scope."""
    operation = run.operations.get(node.op)
    if operation is None:
        raise node.error("an operation that is not known here")
    try:
        inputs: list[Result] = [scope.value(name) if name else None for name in node.inputs]
        if run.trace is None:
            results = operation(Call(node, inputs, run, scope))
        else:
            results = _traced(operation, Call(node, inputs, run, scope), run.trace)
    except InputError:
        raise
    except WRONG_INPUT as error:
        raise node.error(_first_line(error)) from error
    made = results if isinstance(results, tuple) else (results,)
    grid = scope.grid_of(node.inputs[0]) if node.op in MOVES and node.inputs else None
    for name, value in zip(node.outputs, made, strict=False):
        if name and value is not None:
            scope.values[name] = value
            if grid is not None:
                scope.grids[name] = grid
    if missing := [name for name in node.outputs if name and name not in scope.values]:
        raise node.error(f"its output {missing[0]} cannot be computed")


def _traced(operation: Operation, call: Call, trace: GraphTrace) -> Result | tuple[Result, ...]:
    """Compute a node while it is noted which sites its results depend on."""
    names = [name for name in (*call.node.inputs, *read_inside(call.node)) if name]
    around = trace.upstream, trace.touched, trace.read, trace.made
    origins = [call.scope.origin_of(name) for name in names]
    trace.upstream = frozenset[str]().union(*(origin.depends for origin in origins))
    trace.read = frozenset[Noted]().union(*(origin.sources for origin in origins))
    trace.touched, trace.made = set(), set()
    try:
        results = operation(call)
        depends, sources = trace.upstream | trace.touched, frozenset(trace.made) or trace.read
        around[1].update(trace.touched)
        around[3].update(trace.made)
    finally:
        trace.upstream, trace.touched, trace.read, trace.made = around
    made = results if isinstance(results, tuple) else (results,)
    for name, value in zip(call.node.outputs, made, strict=False):
        is_number = value is not None and value.is_floating_point()  # of indices and sizes nothing is wide
        call.scope.origins[name] = ValueOrigin(depends, sources if is_number else frozenset())
    return results


def _names(graph: Graph) -> str:
    return ", ".join(entry.name for entry in graph.inputs) or "none"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
