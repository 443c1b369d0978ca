"""LSTM, GRU and RNN of ONNX: what a node says, made into directions of a layer, and put together again."""

import torch

from quant.graphs.call import Call, Operation, Result
from quant.graphs.elman_cell import ELMAN
from quant.graphs.recurrence import run_direction
from quant.graphs.recurrent_direction import GATES, PLAIN, Activation, RecurrentDirection, States
from quant.networks.gru import GRU
from quant.networks.lstm import LSTM
from quant.networks.recurrent_cell import RecurrentCell
from quant.own.traced_records import Recurrence
from quant.sites.site import Direction, Role, Site

_CELLS: dict[str, RecurrentCell] = {"LSTM": LSTM, "GRU": GRU, "RNN": ELMAN}
"""What each costs: a GRU that resets before the product as one that resets behind it, of as many products."""
_BATCH_FIRST = 1
"""The value of `layout` with utterances in front of frames."""


def _directions(call: Call) -> list[bool]:
    """Whether each direction goes back in time."""
    word = call.attribute("direction", "forward")
    kinds = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    if word not in kinds:
        raise call.node.error(f"direction {word}")
    return kinds[word]


def _activations(call: Call, directions: int) -> list[tuple[Activation, ...]]:
    """The activations of each direction. ONNX lists parameters for those functions only that have some."""
    names = list(call.attribute("activations", PLAIN[call.node.op] * directions))
    each = len(PLAIN[call.node.op])
    if len(names) != each * directions:
        raise call.node.error(f"{len(names)} activations: expected {each * directions}")
    alphas, betas = list(call.attribute("activation_alpha", ())), list(call.attribute("activation_beta", ()))
    made = []
    for name in names:
        word = next((known for known in _FUNCTIONS if known.lower() == name.lower()), None)
        if word is None:
            raise call.node.error(f"activation {name} is none that ONNX has")
        has_alpha, has_beta = _FUNCTIONS[word]
        alpha = alphas.pop(0) if has_alpha and alphas else None
        beta = betas.pop(0) if has_beta and betas else None
        made.append(Activation(word, alpha, beta))
    return [tuple(made[i * each : (i + 1) * each]) for i in range(directions)]


_FUNCTIONS = {
    "Sigmoid": (False, False), "Tanh": (False, False), "Relu": (False, False), "Softsign": (False, False),
    "Softplus": (False, False), "Affine": (True, True), "LeakyRelu": (True, False), "Elu": (True, False),
    "ThresholdedRelu": (True, False), "ScaledTanh": (True, True), "HardSigmoid": (True, True),
}  # fmt: skip
"""Whether each function has an alpha, and a beta."""


def _recurrent(call: Call) -> tuple[Result, ...]:
    """Y (T, D, B, C), and the last h and c (D, B, C); with utterances in front, (B, T, D, C) and (B, D, C)."""
    backward = _directions(call)
    layout = int(call.attribute("layout", 0))
    x = call.input(0)
    _check_sizes(call, x, len(backward))
    if layout == _BATCH_FIRST:
        x = x.transpose(0, 1)
    lengths = _lengths(call, x)
    states = [_first_states(call, x, d, layout) for d in range(len(backward))]
    ys, lasts = [], []
    for d, (goes_back, activations) in enumerate(zip(backward, _activations(call, len(backward)), strict=True)):
        layer = _layer(call, d, goes_back, activations)
        turned = _turned(x, lengths) if goes_back else x
        y, last = run_direction(layer, turned, states[d], lengths, call.run.roundings)
        ys.append(_turned(y, lengths) if goes_back else y)
        lasts.append(last if lengths is None else _none_of_nothing(last, lengths))
        _note(call, layer, goes_back, x)
    batch_axis = 0 if layout == _BATCH_FIRST else 1
    out = torch.stack(ys, 2).transpose(0, 1) if layout == _BATCH_FIRST else torch.stack(ys, 1)
    h = torch.stack([last.h for last in lasts], 1 - batch_axis)
    if call.node.op != "LSTM":
        return out, h
    return out, h, torch.stack([last.c for last in lasts if last.c is not None], 1 - batch_axis)


def _check_sizes(call: Call, x: torch.Tensor, directions: int) -> None:
    gates, w, u = GATES[call.node.op], call.input(1), call.input(2)
    if not (call.is_constant(1) and call.is_constant(2)):
        raise call.node.error("its weights are computed: only constant ones are sites")
    if u.dim() != 3 or w.dim() != 3 or x.dim() != 3:
        raise call.node.error(f"weights of {w.dim()} and {u.dim()} dimensions, input of {x.dim()}: expected three each")
    cells = u.shape[2]
    hidden = call.attribute("hidden_size", cells)
    expected = (directions, gates * cells)
    if w.shape[:2] != expected or u.shape[:2] != expected or x.shape[2] != w.shape[2] or hidden != cells:
        raise call.node.error(
            f"input {list(x.shape)}, W {list(w.shape)}, R {list(u.shape)}, hidden_size {hidden}: they do not fit"
        )


def _lengths(call: Call, x: torch.Tensor) -> torch.Tensor | None:
    lengths = call.optional(4)
    if lengths is None or bool((lengths == x.shape[0]).all()):
        return None
    if lengths.shape != (x.shape[1],) or bool((lengths < 0).any()) or bool((lengths > x.shape[0]).any()):
        raise call.node.error(f"sequence lengths {lengths.tolist()[:8]} of {x.shape[1]} with {x.shape[0]} frames")
    return lengths.long()


def _first_states(call: Call, x: torch.Tensor, d: int, layout: int) -> States:
    cells = call.input(2).shape[2]

    def first(number: int) -> torch.Tensor:
        given = call.optional(number)
        if given is None:
            return x.new_zeros(x.shape[1], cells)
        state = given[:, d] if layout == _BATCH_FIRST else given[d]
        if state.shape != (x.shape[1], cells):
            raise call.node.error(f"a first state of sizes {list(given.shape)} for {x.shape[1]} of {cells} cells")
        return state

    return States(first(5), first(6) if call.node.op == "LSTM" else None)


def _none_of_nothing(last: States, lengths: torch.Tensor) -> States:
    """The last states, zero for utterances without a frame, whatever they began with: as ONNX Runtime has it."""
    there = (lengths > 0)[:, None]
    return States(last.h * there, None if last.c is None else last.c * there)


def _turned(x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """x (T, B, …) backward in time, each utterance from its own end."""
    if lengths is None:
        return x.flip(0)
    frames = torch.arange(len(x))[:, None]
    order = torch.where(frames < lengths, lengths - 1 - frames, frames)
    return x.gather(0, order[..., None].expand_as(x))


def _layer(call: Call, d: int, goes_back: bool, activations: tuple[Activation, ...]) -> RecurrentDirection:
    w, u, bias, peepholes = call.input(1), call.input(2), call.optional(3), call.optional(7)
    gates = GATES[call.node.op]
    cells = u.shape[2]
    sites, held = call.run.sites, call.run.roundings
    names = []
    for letter, number in (("W", 1), ("U", 2)):
        matrix = call.input(number)[d]
        name = sites.of(call.node, matrix, f".{letter}{'b' * goes_back}")
        sites.note(name, matrix, call.grid(0) if number == 1 else None, call.stored_bits(number))
        names.append(name)
    clip = call.node.attributes.get("clip")
    return RecurrentDirection(
        call.node.op, (names[0], names[1]), held.weight(names[0], w[d]), held.weight(names[1], u[d]),
        x_bias(bias, d, gates * cells, w), None if peepholes is None else peepholes[d].view(3, cells), activations,
        clip=float(clip) if clip else None, couples=bool(call.attribute("input_forget", 0)),
        resets_after=bool(call.attribute("linear_before_reset", 0)),
    )  # fmt: skip


def x_bias(bias: torch.Tensor | None, d: int, rows: int, like: torch.Tensor) -> torch.Tensor:
    """Both biases of a direction (2, rows), zero where the node has none."""
    return like.new_zeros(2, rows) if bias is None else bias[d].view(2, rows)


def _note(call: Call, layer: RecurrentDirection, goes_back: bool, x: torch.Tensor) -> None:
    """Tell the trace of one direction. Utterances of a batch follow each other."""
    trace = call.run.trace
    if trace is None or not x.shape[0] * x.shape[1]:
        return
    direction = Direction.BACKWARD if goes_back else Direction.FORWARD
    rows, cells = layer.u.shape
    sites = (
        Site(layer.sites[0], rows, layer.w.shape[1], Role.INPUT, None, direction),
        Site(layer.sites[1], rows, cells, Role.RECURRENT, None, direction),
    )
    frames = x.shape[0] * x.shape[1]
    biased = call.optional(3) is not None
    trace.cell(Recurrence(_CELLS[call.node.op], sites, frames, biased), x.shape[0])
    extra: dict[str, int] = {}
    if layer.peepholes is not None:
        extra["multiply_add"] = 3 * cells
    if layer.clip is not None:
        extra["max"] = 2 * rows
    if extra:
        call.cost({op: count * frames for op, count in extra.items()}, cells * frames, cells * frames, 0)


RECURRENT: dict[str, Operation] = {"LSTM": _recurrent, "GRU": _recurrent, "RNN": _recurrent}
