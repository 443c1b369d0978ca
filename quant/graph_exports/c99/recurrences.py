"""Recurrent layers: a direction's input products, then its steps."""

import torch

from quant.exports.c_header import c_float
from quant.graph_exports.c99.c_program import View
from quant.graph_exports.c99.products import multiplied
from quant.graph_exports.c99.writer import NodeWriter, WrittenOperation
from quant.graphs.operations.recurrent import x_bias
from quant.graphs.recurrent_direction import GATES, PLAIN

_ROOM = {"LSTM": 4, "GRU": 5, "RNN": 1}
"""Vectors of cells that a step needs for its sums and what it makes of them."""


def _checked(write: NodeWriter) -> tuple[int, list[bool], bool]:
    """Cells, whether each direction goes back, and whether a plain RNN is one of tanh. Raises InputError for what is
    not written."""
    node, call = write.node, write.call
    direction = call.attribute("direction", "forward")
    each = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    names = [word.lower() for word in call.attribute("activations", PLAIN[node.op] * len(each))]
    plain = [word.lower() for word in PLAIN[node.op]] * len(each)
    is_rectified = node.op == "RNN" and set(names) == {"relu"}
    unusual = {
        "activations": names != plain and not is_rectified,
        "clip": bool(node.attributes.get("clip")),
        "input_forget": bool(call.attribute("input_forget", 0)),
        "layout": bool(call.attribute("layout", 0)),
        "peepholes": write.has(7),
        "sequence_lens": write.has(4) and bool((call.input(4) != call.input(0).shape[0]).any()),
    }
    for name, is_so in unusual.items():
        if is_so:
            raise node.error(f"{name}: this cannot be written as C")
    return call.input(2).shape[2], each, not is_rectified


def _recurrent(write: NodeWriter) -> tuple[View | None, ...]:
    op, program = write.node.op, write.program
    cells, directions, is_tanh = _checked(write)
    x, gates = write.computed(0), GATES[op]
    steps, batch = x.shape[0], x.shape[1]
    y = program.temporary((steps, len(directions), batch, cells))
    last = program.temporary((len(directions), batch, cells))
    memory = program.temporary((len(directions), batch, cells)) if op == "LSTM" else None
    sums = program.temporary((_ROOM[op] * cells,))
    for d, goes_back in enumerate(directions):
        of_input, of_states = write.read[2 * d], write.read[2 * d + 1]
        bias = x_bias(write.call.optional(3), d, gates * cells, write.call.input(1))
        inner = _inner_bias(write, bias, cells)
        added = bias[0] + bias[1]
        if inner is not None:
            added = torch.cat((added[: 2 * cells], bias[0, 2 * cells :]))
        u = multiplied(write, of_input, x, gates * cells, bias=program.constant(_kept(write, added)))
        layer = _layer(write, of_input, of_states, inner, (cells, steps, batch, int(goes_back)))
        state = _first(write, last, d, 5)
        arguments = [f"&{layer}", u.text, state]
        if memory is not None:
            arguments.append(_first(write, memory, d, 6))
        arguments += [View(y.array, d * batch * cells, ()).text, str(len(directions) * batch * cells)]
        if op == "RNN":
            arguments.append(str(int(is_tanh)))
        program.code_elements = max(program.code_elements, cells)
        program.add(f"NAME_{op.lower()}({', '.join(arguments)}, {sums.text}, codes, row);")
    return (y, last) if memory is None else (y, last, memory)


def _kept(write: NodeWriter, value: torch.Tensor) -> torch.Tensor:
    """A tensor that lives as long as what is written, so that no other comes to lie where it does."""
    write.kept.append(value.contiguous())
    return write.kept[-1]


def _inner_bias(write: NodeWriter, bias: torch.Tensor, cells: int) -> torch.Tensor | None:
    """The bias of n's recurrent product, where GRU's reset gate stands behind it."""
    if write.node.op != "GRU" or not write.call.attribute("linear_before_reset", 0):
        return None
    return write.sites.results(write.read[1]).round(bias[1, 2 * cells :].clone())


def _layer(
    write: NodeWriter, of_input: str, of_states: str, inner: torch.Tensor | None, sizes: tuple[int, int, int, int]
) -> str:
    program, formats = write.program, write.sites.model.formats
    name = program.new_name("layer")
    sums = formats.results[of_states].step
    kept = formats.states[of_states].step if of_states in formats.states else sums
    own = "NULL" if inner is None else program.name_of(program.constant(_kept(write, inner)))
    cells, steps, batch, backward = sizes
    program.constants.append(
        f"static const NAME_layer {name} = {{\n    &{write.sites.of(of_states)}, {own}, {cells}, {steps}, {batch}, "
        f"{backward}, {c_float(sums)}, {c_float(kept)}\n}};"
    )
    return name


def _first(write: NodeWriter, states: View, d: int, number: int) -> str:
    """Fill in the first states of a direction, zero where the node is given none; where they lie."""
    size = states.size // states.shape[0]
    to = View(states.array, d * size, ()).text
    given = "0.0f"
    if write.has(number):
        source = write.operand(number)
        given = f"{View(source.array, source.offset + d * size, ()).text}[i]"
    write.program.add(f"for (int i = 0; i < {size}; i++)\n    {to}[i] = {given};")
    return to


RECURRENCES: dict[str, WrittenOperation] = {"LSTM": _recurrent, "GRU": _recurrent, "RNN": _recurrent}
"""How each is written, by ONNX's name."""
