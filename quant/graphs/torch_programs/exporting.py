"""Modules of torch as graphs, by `torch.export`."""

import io
import logging
import math
import operator
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import fx, nn

from quant.graphs.graph import Graph, GraphInput, Node
from quant.graphs.torch_programs.building import OPSET, GraphBuilder
from quant.graphs.torch_programs.complex_numbers import OF_COMPLEX, reads_complex
from quant.graphs.torch_programs.operators import TRANSLATIONS, Translation
from simulators.inputs.errors import InputError

_ARITHMETIC = {
    operator.add: "Add",
    operator.sub: "Sub",
    operator.mul: "Mul",
    operator.floordiv: "Div",
    operator.mod: "Mod",
    operator.truediv: "Div",
    torch.sym_max: "Max",
    torch.sym_min: "Min",
}
"""Arithmetic on sizes."""
_FLOAT, _WHOLE = 1, 7
"""ONNX's numbers of float32 and int64."""
_CAST: dict[Any, tuple[str, int]] = {
    torch.sym_float: ("", _FLOAT), torch.sym_int: ("", _WHOLE), math.trunc: ("", _WHOLE), math.floor: ("Floor", _WHOLE),
    math.ceil: ("Ceil", _WHOLE),
}  # fmt: skip
"""Sizes as floats and back: how they are rounded, and ONNX's number of the type."""


def graph_of_module(module: nn.Module, given: Mapping[str, torch.Tensor], name: str) -> Graph:
    """The graph of a module that is called with these inputs, by the names of its `forward`; their sizes may change
    where the module lets them. The module is left as it is. Raises InputError for one that `torch.export` cannot
    export, and for an operator that has no translation, which it names with its place in the module."""
    training = module.training
    try:
        module.eval()
        sizes = {key: dict.fromkeys(range(x.dim()), torch.export.Dim.AUTO) for key, x in given.items()}
        with _silent(), _layer_by_layer(), torch.no_grad():
            program = torch.export.export(module, (), dict(given), dynamic_shapes=sizes, strict=False)
            program = _taken_apart(program)
    except Exception as error:  # of whatever kind: the module's code is the user's
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        inputs = ", ".join(f"{key} {str(x.dtype).removeprefix('torch.')} {[*x.shape]}" for key, x in given.items())
        raise InputError(f"{name}: torch.export cannot export it: {first[:300]} (given {inputs})") from error
    finally:
        module.train(training)
    return _translated(program, name)


def _taken_apart(program: "torch.export.ExportedProgram") -> "torch.export.ExportedProgram":
    """The program with operators that have no translation as those that torch makes them of, where it says so; all
    others stay."""
    before: set[Any] = set()
    while (unknown := {node.target for node in program.graph.nodes if _is_unknown(node)}) - before:
        before |= unknown
        parts = torch.export.default_decompositions()
        program = program.run_decompositions({target: parts[target] for target in unknown if target in parts})
    return program


def _is_unknown(node: fx.Node) -> bool:
    target: Any = node.target
    if not isinstance(target, torch._ops.OpOverload) or _is_check(target):
        return False
    return _translation(node) is None and (bool(node.all_input_nodes) or _is_drawn(target))


def _is_drawn(target: "torch._ops.OpOverload") -> bool:
    """Whether an operator's result is random."""
    return torch.Tag.nondeterministic_seeded in target.tags


def _word(target: "torch._ops.OpOverload") -> str:
    """An operator's name without its namespace and overload."""
    return target._schema.name.split("::")[-1]


def _origin(node: fx.Node) -> tuple[str, str]:
    """The name and the operator of what the module called, of which a node is a part."""
    sources = node.meta.get("from_node")
    if not sources:
        return node.name, str(node.target)
    source = sources[0]
    while source.from_node:
        source = source.from_node[0]
    return source.name, str(source.target)


def _is_check(target: "torch._ops.OpOverload") -> bool:
    return _word(target).startswith(("_assert", "sym_constrain"))


def _translation(node: fx.Node) -> Translation | None:
    """How an operator is translated; None where no way is known."""
    word, table = _word(node.target), OF_COMPLEX if reads_complex(node) else TRANSLATIONS  # type: ignore[arg-type]
    return table.get(word) or table.get(word.rstrip("_"))


@contextmanager
def _silent() -> Iterator[None]:
    """Without torch's remarks on sizes that are fixed, and its pictures of programs that cannot be exported: what went
    wrong is in what it raises."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _layer_by_layer() -> Iterator[None]:
    """Attention and transformer layers as their parts: the fused ones of inference have no other meaning."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _translated(program: "torch.export.ExportedProgram", name: str) -> Graph:
    build = GraphBuilder()
    inputs = []
    kept = {**program.state_dict, **program.constants}
    signature = program.graph_signature
    targets = signature.inputs_to_parameters | signature.inputs_to_buffers | signature.inputs_to_lifted_tensor_constants
    outputs: tuple[str, ...] = ()
    for node in program.graph.nodes:
        build.path = _path(node)
        if node.op == "placeholder":
            if node.name in targets:
                build.values[node] = build.constant(kept[targets[node.name]])
            else:
                build.values[node] = node.name
                inputs.append(_input(node))
        elif node.op == "call_function":
            build.values[node] = _call(build, node)
        elif node.op == "output":
            outputs = tuple(build.value(x) for x in node.args[0] if x is not None)
    if not inputs or not outputs:
        raise InputError(f"{name}: it takes nothing, or leaves nothing")
    nodes, wanted = _read(build.nodes, outputs), [x for x in signature.user_outputs if x is not None]
    if len(wanted) != len(outputs):
        raise InputError(f"{name}: it changes a buffer of its own: state is given and returned")
    return Graph(name, tuple(inputs), outputs, nodes, build.constants, OPSET)


def _read(nodes: list[Node], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    """The nodes whose results are read: an operator of several leaves some that the program does not take."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))


def _input(node: fx.Node) -> GraphInput:
    value = node.meta["val"]
    sizes = tuple(int(str(size)) if str(size).isdigit() else str(size) for size in value.shape)
    return GraphInput(node.name, value.dtype, sizes)


def _path(node: fx.Node) -> str:
    """Where in the module a node stands: the attribute that the innermost module is."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values() if path]
    return str(paths[-1]) if paths else node.name


def _call(build: GraphBuilder, node: fx.Node) -> Any:
    target: Any = node.target
    if target is operator.getitem:
        source, index = node.args
        assert isinstance(source, fx.Node)
        return build.values[source][index]
    if target in _ARITHMETIC:
        return build.emit(_ARITHMETIC[target], *node.args)
    if target in _CAST:
        op, number = _CAST[target]
        rounded = build.emit(op, *node.args) if op else build.value(node.args[0])
        return build.emit("Cast", rounded, to=number)
    if not isinstance(target, torch._ops.OpOverload):
        raise InputError(f"{build.path}: {getattr(target, '__name__', target)}: no translation of it is known")
    if (known := _computed(build, node, target)) is not None:
        return known
    if _is_check(target):
        return None
    translation = _translation(node)
    if translation is None:
        kind = " of complex numbers" if reads_complex(node) else ""
        name, called = _origin(node)
        path = name if build.path == node.name else build.path
        raise InputError(f"{path}: {called}{kind}: no translation of this operator is known")
    arguments = {argument.name: argument.default_value for argument in target._schema.arguments}
    arguments |= dict(zip(arguments, node.args, strict=False))
    arguments |= node.kwargs
    return translation(build, arguments)


def _computed(build: GraphBuilder, node: fx.Node, target: "torch._ops.OpOverload") -> Any:
    """What an operator makes of parameters alone, or of nothing, computed once, as that of a weight's parametrization;
    None where anything else decides it."""
    read = node.all_input_nodes
    names = [build.values.get(source) for source in read]
    if _is_drawn(target) or target._schema.is_mutable or (not read and _translation(node) is not None):
        return None
    if not all(isinstance(name, str) and name in build.constants for name in names):
        return None
    values = {source: build.constants[name] for source, name in zip(read, names, strict=True) if name}
    arguments = fx.map_arg(node.args, values.__getitem__)
    options = fx.map_arg(node.kwargs, values.__getitem__)
    with torch.no_grad():
        made = target(*arguments, **options)
    if isinstance(made, torch.Tensor):
        return build.constant(made)
    return [build.constant(part) for part in made] if isinstance(made, tuple | list) else None
