"""Recurrent layers of ONNX (LSTM, GRU, RNN, with all their attributes), one direction at a time, in any roundings.

Gates lie in ONNX's order: i, o, f, g of LSTM, z, r, n of GRU. With plain attributes a step is that of
`quant.networks.lstm` and `quant.networks.gru`, rounded where they round."""

from collections.abc import Callable

import torch
from torch.nn import functional

from quant.graphs.compiled_recurrence import in_fixed_point, in_float
from quant.graphs.graph_roundings import GraphRounded
from quant.graphs.recurrent_direction import RecurrentDirection, States
from quant.graphs.stepwise_product import StepwiseProduct
from quant.networks.cell_layer import ValueRoundings
from quant.own.formats import Seen
from quant.own.roundings import GATES, Exactly
from simulators.inputs.errors import InputError


def run_direction(
    layer: RecurrentDirection, x: torch.Tensor, first: States, lengths: torch.Tensor | None, held: ValueRoundings
) -> tuple[torch.Tensor, States]:
    """x (T, B, K) in the direction's order of time → h (T, B, C), zero past an utterance's end, and the states at the
    end of each."""
    if isinstance(held, GraphRounded):
        _check_first_state(layer, first, held)
        if held.by_steps and any(map(held.holds, layer.sites)):
            _check_steps(layer, lengths)
    added = layer.bias[0] if layer.op == "GRU" else layer.bias[0] + layer.bias[1]
    products = functional.linear(held.input(layer.sites[0], x), layer.w, added)
    if layer.op == "GRU":
        products = _with_recurrent_bias(layer, products)
    products = held.result(layer.sites[0], products)
    by_steps = isinstance(held, GraphRounded) and held.by_steps
    if layer.is_plain and len(x) and not torch.is_grad_enabled() and not by_steps:
        covered = held.covers(layer.sites) if isinstance(held, GraphRounded) else None
        if covered and isinstance(held, GraphRounded):
            return in_fixed_point(layer, products, first, lengths, held)
        if type(held) in (Exactly, Seen) or covered is False:
            return in_float(layer, x, products, first, lengths, held)
    step = _STEPS[layer.op](layer, _Held(layer, held))
    states, out = first, []
    for t, frame in enumerate(products):
        new = step(frame, states)
        if lengths is not None:
            going = (lengths > t)[:, None]
            out.append(torch.where(going, new.h, torch.zeros_like(new.h)))
            kept = None if new.c is None or states.c is None else torch.where(going, new.c, states.c)
            new = States(torch.where(going, new.h, states.h), kept)
        else:
            out.append(new.h)
        states = new
    return torch.stack(out) if out else x.new_zeros(0, x.shape[1], layer.u.shape[1]), states


def _check_first_state(layer: RecurrentDirection, first: States, held: GraphRounded) -> None:
    """Raises InputError for a first h beyond what the 16-bit fixed point of gates holds, where h is held so: it would
    be clipped without a word."""
    largest = float(first.h.abs().max()) if first.h.numel() else 0.0
    is_gate = held.covers(layer.sites) is not False and layer.activations[-1].is_bounded
    if is_gate and largest > -GATES.lowest * GATES.step:
        raise InputError(f"site {layer.sites[1]}: a state of {largest:g} is given to it: h is quantized within ±2")


def _check_steps(layer: RecurrentDirection, lengths: torch.Tensor | None) -> None:
    """Raises InputError for what has no one order of what its products read."""
    if lengths is not None:
        raise InputError(f"site {layer.sites[0]}: utterances of several lengths in a batch: a delta network takes one")


def _with_recurrent_bias(layer: RecurrentDirection, products: torch.Tensor) -> torch.Tensor:
    """Recurrent biases join the input's, but for n's where the reset gate stands behind it."""
    recurrent = layer.bias[1].clone()
    if layer.resets_after:
        recurrent[2 * layer.u.shape[1] :] = 0
    return products + recurrent


class _Held:
    """How one direction holds its values."""

    def __init__(self, layer: RecurrentDirection, roundings: ValueRoundings):
        self._layer = layer
        self._roundings = roundings
        self._site = layer.sites[1]
        self._functions = [activation.function() for activation in layer.activations]
        self._products: dict[tuple[int | None, int | None], StepwiseProduct] = {}

    def product(self, h: torch.Tensor, rows: slice = slice(None)) -> torch.Tensor:
        """Rows of U times h."""
        key = rows.start, rows.stop
        if key not in self._products:
            self._products[key] = StepwiseProduct(self._layer.u[rows])
        read = self._roundings.input(self._site, h)
        return self._roundings.result(self._site, self._products[key](read))

    def sum(self, x: torch.Tensor) -> torch.Tensor:
        """A sum on the way to a gate."""
        return self._roundings.result(self._site, x)

    def gate(self, number: int, x: torch.Tensor) -> torch.Tensor:
        """The value of the activation of this number for a sum, which is clipped if sums are."""
        x = self.sum(x)
        if self._layer.clip is not None:
            x = x.clamp(-self._layer.clip, self._layer.clip)
        return self.bounded(number, self._functions[number](x))

    def function(self, number: int, x: torch.Tensor) -> torch.Tensor:
        """The value of an activation for something that is no sum."""
        return self.bounded(number, self._functions[number](x))

    def bounded(self, number: int, x: torch.Tensor) -> torch.Tensor:
        """A value as wide as those of the activation of this number."""
        return self._roundings.gate(self._site, x) if self._layer.activations[number].is_bounded else self.memory(x)

    def memory(self, x: torch.Tensor) -> torch.Tensor:
        """What is kept from step to step."""
        return self._roundings.state(self._site, x)


Step = Callable[[torch.Tensor, States], States]


def _lstm(layer: RecurrentDirection, held: _Held) -> Step:
    """c = f c' + i g; h = o h(c)."""
    cells = layer.u.shape[1]
    peep_i, peep_o, peep_f = layer.peepholes if layer.peepholes is not None else (None, None, None)

    def seen(x: torch.Tensor, peephole: torch.Tensor | None, memory: torch.Tensor) -> torch.Tensor:
        return x if peephole is None else x + peephole * memory

    def step(frame: torch.Tensor, states: States) -> States:
        assert states.c is not None
        i, o, f, g = (frame + held.product(states.h)).split(cells, -1)
        i = held.gate(0, seen(i, peep_i, states.c))
        f = 1 - i if layer.couples else held.gate(0, seen(f, peep_f, states.c))
        g = held.gate(1, g)
        c = held.memory(f * states.c + held.memory(i * g))
        o = held.gate(0, seen(o, peep_o, c))
        return States(held.bounded(2, o * held.function(2, c)), c)

    return step


def _gru(layer: RecurrentDirection, held: _Held) -> Step:
    """h = (1 - z) n + z h', where n sees h' through the reset gate, before the product or behind it."""
    cells = layer.u.shape[1]
    bias = layer.bias[1, 2 * cells :]

    def step(frame: torch.Tensor, states: States) -> States:
        (h,) = (states.h,)
        if layer.resets_after:
            a = held.product(h)
            z, r = (held.gate(0, part) for part in (frame + a)[:, : 2 * cells].split(cells, -1))
            inner = held.sum(r * held.sum(a[:, 2 * cells :] + bias))
        else:
            a = held.product(h, slice(2 * cells))
            z, r = (held.gate(0, part) for part in (frame[:, : 2 * cells] + a).split(cells, -1))
            inner = held.product(held.bounded(1, r * h), slice(2 * cells, None))
        n = held.gate(1, frame[:, 2 * cells :] + inner)
        return States(held.bounded(1, held.bounded(1, (1 - z) * n) + z * h))

    return step


def _rnn(layer: RecurrentDirection, held: _Held) -> Step:
    """h = f(W x + U h' + b)."""
    return lambda frame, states: States(held.gate(0, frame + held.product(states.h)))


_STEPS = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}
