"""LSTM, GRU and RNN of torch, layers and cells, as ONNX's: gates in another order, states apart."""

from typing import Any

import torch
from torch import fx

from quant.graphs.torch_programs.building import GraphBuilder
from quant.graphs.torch_programs.projected_lstm import projected
from simulators.inputs.errors import InputError

_ORDER = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}
"""The place in torch's order (i, f, g, o; r, z, n) of each gate in ONNX's (i, o, f, g; z, r, n)."""


def _turned(weight: torch.Tensor, op: str) -> torch.Tensor:
    order = _ORDER[op]
    turned: torch.Tensor = weight.unflatten(0, (len(order), -1))[order].flatten(0, 1)
    return turned


def _node(
    build: GraphBuilder, op: str, x: Any, parameters: list[list[Any]], states: list[Any], **attributes: Any
) -> Any:
    """One layer: x (T, B, K), of each direction W, U and two biases or none, first states (D, B, C)."""
    gates = len(_ORDER[op])
    w, u, b = [], [], []
    for w_of, u_of, *biases in parameters:
        w.append(_turned(build.tensor(w_of, "a weight"), op))
        u.append(_turned(build.tensor(u_of, "a weight"), op))
        rows = gates * u[-1].shape[1]
        of_both = [_turned(build.tensor(bias, "a bias"), op) for bias in biases] or [torch.zeros(rows)] * 2
        b.append(torch.cat(of_both))
    constants = [build.constant(torch.stack(values)) for values in (w, u, b)]
    extra = {"linear_before_reset": 1} if op == "GRU" else {}
    direction = "bidirectional" if len(parameters) == 2 else "forward"
    results = 3 if op == "LSTM" else 2
    return build.emit(
        op, x, *constants, None, *states, results=results, hidden_size=u[0].shape[1], direction=direction, **extra,
        **attributes,
    )  # fmt: skip


def layers(build: GraphBuilder, op: str, args: tuple[Any, ...], **attributes: Any) -> list[str]:
    """`aten.lstm`, `aten.gru`, `aten.rnn_*`: (x, states, parameters, has biases, layers, dropout, training,
    bidirectional, batch first)."""
    x, states, flat, biased, count, _, _, both, batch_first = args[:9]
    if not isinstance(flat, list | tuple) or isinstance(biased, list | tuple | fx.Node):
        raise InputError(f"{build.path}: a packed sequence cannot be translated")
    directions = 2 if both else 1
    each = len(flat) // (directions * count)
    is_projected = each > (4 if biased else 2)
    path = build.path
    given = list(states) if op == "LSTM" else [states]
    value: Any = build.emit("Transpose", x, perm=(1, 0, 2)) if batch_first else x
    lasts: list[list[str]] = []
    for number in range(count):
        first = number * directions
        build.path = f"{path}.{number}" if count > 1 else path
        bounds = [build.constant(torch.tensor([edge])) for edge in (first, first + directions, 0)]
        own = [build.emit("Slice", state, *bounds) for state in given]
        parameters = [list(flat[(first + d) * each : (first + d + 1) * each]) for d in range(directions)]
        if is_projected:
            value, *last = projected(build, value, parameters, own)
            lasts.append(last)
            continue
        y, *last = _node(build, op, value, parameters, own, **attributes)
        lasts.append(last)
        turned = build.emit("Transpose", y, perm=(0, 2, 1, 3))
        value = build.emit("Reshape", turned, build.constant(torch.tensor([0, 0, -1])))
    build.path = path
    output = build.emit("Transpose", value, perm=(1, 0, 2)) if batch_first else value
    joined = [build.emit("Concat", *of_layers, axis=0) for of_layers in zip(*lasts, strict=True)]
    return [output, *joined]


def cell(build: GraphBuilder, op: str, args: tuple[Any, ...], **attributes: Any) -> Any:
    """`aten.lstm_cell`, `aten.gru_cell`, `aten.rnn_*_cell`: a layer of one step, whose weights the steps share."""
    x, states, *parameters = args
    front = build.constant(torch.tensor([0]))
    given = [build.emit("Unsqueeze", state, front) for state in (states if op == "LSTM" else [states])]
    used = [parameter for parameter in parameters if parameter is not None]
    frame = build.emit("Unsqueeze", x, front)
    _, *last = _node(build, op, frame, [used], given, **attributes)
    after = [build.emit("Squeeze", state, front) for state in last]
    return after if op == "LSTM" else after[0]
