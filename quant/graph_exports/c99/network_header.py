"""A candidate of a network from a file as one header of C99: packed weights, scales, and a function that computes one
call of the network, for the sizes of its first.

Whatever does not depend on what the network is given is computed here. Products of sites are those of whole numbers,
rounded as an evaluation rounds them; what lies between them is computed in float. Sizes are fixed, so that no memory is
asked for: arrays that are needed at different times share it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from quant.arithmetic import kernels
from quant.exports.c_header import c_float, prefix_of
from quant.graph_exports.c99.c_program import CProgram, View
from quant.graph_exports.c99.elementwise import ELEMENTWISE
from quant.graph_exports.c99.placing import PLACING
from quant.graph_exports.c99.products import PRODUCTS
from quant.graph_exports.c99.recurrences import RECURRENCES
from quant.graph_exports.c99.reductions import REDUCTIONS
from quant.graph_exports.c99.writer import NodeWriter, SiteConstants, Written
from quant.graphs.call import Call, Pass, Result, Scope
from quant.graphs.graph import Graph, Node, read_inside
from quant.graphs.graph_model import GraphModel
from quant.graphs.operations.table import OPERATIONS
from quant.graphs.running import compute
from quant.own.roundings import Exactly
from quant.sites.candidate import Bits, name_of
from simulators.inputs.errors import InputError

WRITTEN: Written = {**ELEMENTWISE, **PLACING, **REDUCTIONS, **PRODUCTS, **RECURRENCES}
"""How each operator is written, by ONNX's name."""
_OF_SIZES = ("Shape", "Size")
_HERE = Path(__file__).parent
_PARTS = {"LSTM": "network_lstm.h", "GRU": "network_gru.h", "RNN": "network_rnn.h"}
_WINDOWS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool")


@dataclass(frozen=True)
class Argument:
    """An array that the function of C takes."""

    name: str
    """The network's name of it."""
    c_name: str
    """C's name of it."""
    shape: tuple[int, ...]
    """Sizes, in elements."""


@dataclass(frozen=True)
class NetworkHeader:
    """A header, and what calls its function."""

    text: str
    prefix: str
    """What its names begin with."""
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    fixed: dict[str, torch.Tensor]
    """Whole numbers that the network is given, for which it is written."""


def network_header(model: GraphModel, bits: Bits) -> NetworkHeader:
    """The header of a candidate. Raises InputError, by its node, for what is not written as C."""
    return _Writer(model, bits).header()


class _Noted(Exactly):
    """Notes the sites whose weights a node multiplies with."""

    def __init__(self) -> None:
        self.sites: list[str] = []

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """Weights pass as they are."""
        self.sites.append(site)
        return weight


class _Writer:
    """Goes through a network's first call, and writes what depends on what it is given."""

    def __init__(self, model: GraphModel, bits: Bits):
        self.model, self.bits = model, bits
        self.program = CProgram()
        self.sites = SiteConstants(self.program, model, bits)
        self.noted = _Noted()
        self.run = Pass(self.noted, model.names, OPERATIONS, quantized=True)
        self.views: dict[tuple[int, str], View] = {}
        self.ops: set[str] = set()
        self.kept: list[object] = []

    def header(self) -> NetworkHeader:
        """The whole of it."""
        graph, scope = self.model.graph, Scope(self.model.graph)
        given, names = self.model.first_call(), _Names()
        inputs, fixed = [], {}
        for entry in graph.inputs:
            value = scope.values[entry.name] = given[entry.name]
            if value.is_floating_point():
                inputs.append(Argument(entry.name, names.of("in", entry.name), tuple(value.shape)))
                self.views[id(scope), entry.name] = self.program.named(inputs[-1].c_name, inputs[-1].shape)
            else:
                fixed[entry.name] = value
        self._check_fixed(fixed)
        with torch.no_grad():
            self._nodes(scope)
        outputs = []
        for name in graph.outputs:
            value = scope.value(name)
            if not value.is_floating_point():
                raise InputError(f"output {name}: whole numbers: this cannot be written as C")
            outputs.append(Argument(name, names.of("out", name), tuple(value.shape)))
            source = self._view(scope, name) or self.program.constant(value)
            target = self.program.named(outputs[-1].c_name, outputs[-1].shape)
            self.program.add(f"for (int i = 0; i < {source.size}; i++)\n    {target.text}[i] = {source.text}[i];")
        prefix = prefix_of(self.model.name)
        text = re.sub(r"\bNAME_", f"{prefix}_", self._text(inputs, outputs, fixed))
        return NetworkHeader(text, prefix, tuple(inputs), tuple(outputs), fixed)

    def _check_fixed(self, fixed: dict[str, torch.Tensor]) -> None:
        """Raise InputError for whole numbers that are not the same in all calls."""
        for utterance in self.model.data.utterances if fixed else ():
            for given in self.model.data.calls(utterance):
                for name, value in fixed.items():
                    if not torch.equal(given[name], value):
                        raise InputError(f"input {name}: whole numbers that change: this cannot be written as C")

    def _nodes(self, scope: Scope) -> None:
        for node in scope.graph.nodes:
            self.noted.sites.clear()
            compute(node, scope, self.run)
            read = [name for name in (*node.inputs, *read_inside(node)) if name]
            if node.op not in _OF_SIZES and any(self._view(scope, name) for name in read):
                self._write(node, scope)

    def _view(self, scope: Scope, name: str) -> View | None:
        """Where a value is that depends on what the network is given."""
        around: Scope | None = scope
        while around is not None:
            if name in around.values or name in around.graph.constants:
                return self.views.get((id(around), name))
            around = around.outer
        return None

    def _write(self, node: Node, scope: Scope) -> None:
        views = [self._view(scope, name) if name else None for name in node.inputs]
        if node.op == "If" and views[0] is None:
            self._branch(node, scope)
            return
        if node.op not in WRITTEN:
            raise node.error("this operation cannot be written as C")
        results = tuple(scope.values[name] if name else None for name in node.outputs)
        for value in results:
            if value is not None and not value.is_floating_point() and value.dtype is not torch.bool:
                raise node.error("whole numbers that depend on what the network is given: C has them not")
        self.ops.add(node.op)
        inputs: list[Result] = [scope.value(name) if name else None for name in node.inputs]
        call = Call(node, inputs, self.run, scope)
        writer = NodeWriter(call, views, results, self.program, self.sites, tuple(self.noted.sites))
        self.kept.append(writer)
        made = WRITTEN[node.op](writer)
        for name, view, value in zip(node.outputs, made if isinstance(made, tuple) else (made,), results, strict=False):
            if name and view is not None and value is not None:
                self.views[id(scope), name] = view.reshaped(tuple(value.shape))

    def _branch(self, node: Node, scope: Scope) -> None:
        """The nodes of the branch that is taken, whatever the network is given."""
        taken: Graph = node.attributes["then_branch" if bool(scope.value(node.inputs[0])) else "else_branch"]
        inner = Scope(taken, scope)
        self.kept.append(inner)
        self._nodes(inner)
        for name, source in zip(node.outputs, taken.outputs, strict=False):
            view = self._view(inner, source)
            if name and view is not None:
                self.views[id(scope), name] = view

    def _text(self, inputs: list[Argument], outputs: list[Argument], fixed: dict[str, torch.Tensor]) -> str:
        program, cells = self.program, self.ops & _PARTS.keys()
        parts = [self._opening(inputs, outputs, fixed), (_HERE / "network_step.h").read_text()]
        if self.ops & set(_WINDOWS):
            parts.append((_HERE / "network_windows.h").read_text())
        if cells:
            parts += [_coefficients(), (_HERE / "network_cells.h").read_text()]
        parts += [(_HERE / _PARTS[op]).read_text() for op in sorted(cells)]
        arguments = [f"const float *{x.c_name}" for x in inputs] + [f"float *{x.c_name}" for x in outputs]
        body = "\n".join("    " + line for statement in program.statements for line in statement.splitlines())
        parts += [
            *program.constants,
            "\n/* One call of the network. */",
            f"static inline void NAME_run({', '.join(arguments)}, NAME_scratch *scratch)\n{{\n"
            "    float *const values = scratch->values;\n    int16_t *const codes = scratch->codes;\n"
            f"    int16_t *const row = scratch->row;\n{body}\n    (void)values, (void)codes, (void)row;\n}}\n",
            "#endif\n",
        ]
        return "\n".join(parts)

    def _opening(self, inputs: list[Argument], outputs: list[Argument], fixed: dict[str, torch.Tensor]) -> str:
        program, by_name = self.program, {x.name: x.c_name for x in (*inputs, *outputs)}
        lines = [f"{x.c_name}: {_plain(x.name)} {list(x.shape)}" for x in (*inputs, *outputs)]
        state = [
            f"before the next call of an utterance, copy {by_name[source]} to {by_name[name]}"
            for name, source in self.model.data.settings.state.items()
            if name in by_name and source in by_name
        ]
        told = [f"written for {_plain(name)} {value.tolist()}" for name, value in fixed.items()]
        listed = "\n".join(f"     {line}" for line in (*lines, *state, *told))
        return f"""\
/* A quantized network, written by mohaq export --format c: {_plain(self.model.name)},
   weights x activations in bits: {_plain(name_of(self.bits))}.

   #include it (it needs the mathematics library), and call NAME_run for each call of the network:
{listed}
   Compile without contracted products (-ffp-contract=off, or any -std=c99), or last bits differ. */
#ifndef NAME_H
#define NAME_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* Memory of a call; nothing in it is kept for the next. */
typedef struct {{
    float values[{program.scratch_elements}];
    int16_t codes[{program.code_elements}];
    int16_t row[{program.row_elements}];
}} NAME_scratch;
"""


def _coefficients() -> str:
    """Definitions of the coefficients by which tanh and sigmoid are fitted."""
    fits = (
        ("N", 0, kernels.TANH_NUMERATOR), ("D", 1, kernels.TANH_DENOMINATOR),
        ("P", 0, kernels.SIGMOID_NUMERATOR), ("Q", 1, kernels.SIGMOID_DENOMINATOR),
    )  # fmt: skip
    named = {"TANH_END": kernels.TANH_END}
    for letter, first, coefficients in fits:
        named |= {f"{letter}{i}": float(x) for i, x in enumerate(coefficients, first)}
    return "\n".join(f"#define NAME_{name} {c_float(value)}" for name, value in named.items())


def _plain(text: str) -> str:
    """Text that ends no comment."""
    return "".join(x if x.isprintable() and x.isascii() else "?" for x in text).replace("*/", "*?")


class _Names:
    """Names of C for arguments, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, kind: str, name: str) -> str:
        stem = f"{kind}_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_') or 'values'}"
        found, number = stem, 1
        while found in self._taken:
            number += 1
            found = f"{stem}_{number}"
        self._taken.add(found)
        return found
