"""A user's own torch module, quantized and traced through hooks: `docs/bring-your-own-model.md`.

Layers that have weights are sites: `nn.Linear`, `nn.Conv1d`, `nn.Conv2d`, `nn.LSTM`, `nn.GRU` (every layer and
direction of them with an input site and a recurrent one) and `quant.own.recurrent_layers.Recurrent`, which has SRU and
Li-GRU as well. Activation functions and elementwise arithmetic cost time and energy; reshaping is free; anything else
is an error that names it, for what a trace cannot express would be simulated as if it cost nothing. """

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.grid import Grid, fixed_point_grid, minimum_error_grid
from quant.evaluation.code import OWN_MODEL
from quant.evaluation.rates import Rates
from quant.networks.cells import CELLS, Cell
from quant.networks.recurrence import sru_recurrence, sru_recurrence_fixed
from quant.networks.sru import GATES
from quant.own.module_tracing import ACTIVATIONS, FREE, Functions, Shapes, observed
from quant.own.recurrent_layers import Recurrent
from quant.sites.candidate import FIXED_POINT_BITS, INTEGER_BITS, Bits, check_candidate
from quant.sites.site import Site
from simulators import Conv2d, Elementwise, Matmul, Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.LSTM, nn.GRU, Recurrent)


class OwnModel:
    """A module as the search takes it.

    `example` is one input with a batch of one: it gives the trace its shapes. `seen` are inputs that ranges are taken
    from. `error` evaluates the module as it is when called: percent, or (worst part, all). `data_digest` tells the data
    of `error` apart. Raises InputError for a module or an operation that a trace cannot express.
    """

    def __init__(
        self,
        module: nn.Module,
        example: torch.Tensor,
        seen: Sequence[torch.Tensor],
        error: Callable[[nn.Module], float | tuple[float, float]],
        name: str = "own",
        data_digest: str = "",
        scheme: Scheme | None = None,
    ):
        self.module = module.eval().requires_grad_(False)
        self.name = name
        self.data_digest = data_digest
        self._error = error
        self._scheme = scheme or Scheme()
        self._parts = dict(_parts(module))
        self._shapes = Shapes()
        self._weights = {site: weight.clone() for site, weight in self._site_weights()}
        with torch.no_grad(), observed(module, self._parts, self._shapes), Functions(self._shapes):
            module(example)
        used = {site for record in self._shapes.records for site in record.sites}
        if idle := [site for site in self._weights if site not in used]:
            raise InputError(f"{name}: {', '.join(idle)}: the example does not pass through")
        self.sites = tuple(Site(site, len(w), w[0].numel()) for site, w in self._weights.items())
        self._ranges = _Ranges()
        with _replaced(self._parts, self._ranges), torch.no_grad():
            for x in seen:
                module(x)
        self._grids: dict[str, dict[int, Grid]] = {}
        for site, values in self._ranges.inputs.items():
            x = torch.cat(values)
            self._grids[site] = {bits: minimum_error_grid(x, bits) for bits in INTEGER_BITS}
            self._grids[site][FIXED_POINT_BITS] = fixed_point_grid(float(x.abs().max()))
        digest = hashlib.sha256(repr(module).encode())
        for parameter in module.parameters():
            digest.update(parameter.detach().numpy().tobytes())
        self.digest = f"{digest.hexdigest()}:{self._scheme.name}"

    @property
    def code(self) -> Code:
        """What decides its errors: this project's part, and the module that evaluates it."""
        return OWN_MODEL | Code((getattr(self._error, "__module__", None) or type(self._error).__module__,))

    def evaluate(self, bits: Bits | None) -> Rates:
        """Of a candidate; without bits, of the module as it is."""
        if bits is None:
            found = self._error(self.module)
        else:
            check_candidate(bits, self.sites)
            rounded = _Rounded(bits, self._grids, self._ranges, self._codes(bits))
            with _replaced(self._parts, rounded), torch.no_grad():
                found = self._error(self.module)
        return Rates(*found) if isinstance(found, tuple) else Rates(float(found), float(found))

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[Rates]:
        return [self.evaluate(bits) for bits in candidates]

    def trace(self, bits: Bits, steps: int | None = None) -> Trace:
        """What the module computes for the example, in the order of the computation. `steps` must be the example's
        frames, if it is said."""
        check_candidate(bits, self.sites)
        frames = self._shapes.frames
        if steps is not None and steps != frames:
            raise InputError(f"steps: {steps}: the example of {self.name} has {frames}")
        layers: list[Matmul | Conv2d | Elementwise] = []
        for record in self._shapes.records:
            layers += record.layers(bits, len(layers))
        return Trace(name=self.name, steps=frames, layers=tuple(layers))

    def _site_weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        for path, part in self._parts.items():
            for name, weight in weights_of(part):
                yield (f"{path}.{name}" if name else path), weight

    def _codes(self, bits: Bits) -> dict[str, torch.Tensor]:
        """The values of the quantized weights of each site."""
        values = {}
        for site, weight in self._weights.items():
            quantized = quantize_weights(weight.flatten(1), bits[site][0], self._scheme)
            values[site] = (quantized.codes * quantized.steps[:, None]).view(weight.shape)
        return values


def weights_of(part: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of a layer by their sites' names within it, "" for the only one."""
    if isinstance(part, nn.LSTM | nn.GRU):
        for layer in range(part.num_layers):
            for suffix in ("", "_reverse")[: 2 if part.bidirectional else 1]:
                for kind, letter in (("ih", "W"), ("hh", "U")):
                    yield (
                        f"{letter}{layer}{'b' * bool(suffix)}",
                        getattr(part, f"weight_{kind}_l{layer}{suffix}").detach(),
                    )
    elif isinstance(part, Recurrent):
        yield "W", part.W.detach()
        if part.U is not None:
            yield "U", part.U.detach()
    else:
        yield "", part.weight.detach()  # type: ignore[union-attr, operator]


def _parts(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers that have weights, by their path. Raises InputError for a module that is neither one, nor free, nor
    made of others."""
    if isinstance(module, LAYERS):
        _check(module, path)
        yield path or type(module).__name__.lower(), module
        return
    children = list(module.named_children())
    if not children and not isinstance(module, (*FREE, *ACTIVATIONS)):
        known = ", ".join(kind.__name__ for kind in (*LAYERS, *ACTIVATIONS, *FREE))
        raise InputError(f"{path or 'the module'}: {type(module).__name__}: it cannot be traced; what can: {known}")
    if stray := [name for name, _ in module.named_parameters(recurse=False)]:
        raise InputError(f"{path or 'the module'}: parameters of its own ({', '.join(stray)}) cannot be traced")
    for name, child in children:
        yield from _parts(child, f"{path}.{name}" if path else name)


def _check(part: nn.Module, path: str) -> None:
    complaint = ""
    if isinstance(part, nn.LSTM) and part.proj_size:
        complaint = f"proj_size {part.proj_size}"
    if isinstance(part, nn.Conv1d | nn.Conv2d) and (set(part.dilation) != {1} or part.padding_mode != "zeros"):
        complaint = "dilation or another padding than zeros"
    if isinstance(part, nn.Conv1d | nn.Conv2d) and isinstance(part.padding, str):
        complaint = f"padding {part.padding!r}: give it in numbers"
    if complaint:
        raise InputError(f"{path}: {type(part).__name__}: {complaint} cannot be traced")


# --- what passes through a layer ---------------------------------------------------------------------------------


class _Exactly:
    """Computes in floating point."""

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        return x

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        return weight

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        return y

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        return x

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        return x


class _Ranges(_Exactly):
    """Keeps what passes: inputs as they are, of results and states the largest magnitude."""

    def __init__(self) -> None:
        self.inputs: dict[str, list[torch.Tensor]] = {}
        self.results: dict[str, float] = {}
        self.states: dict[str, float] = {}

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        self.inputs.setdefault(site, []).append(x.flatten())
        return x

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        self.results[site] = max(self.results.get(site, 0.0), float(y.abs().max()))
        return y

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        self.states[site] = max(self.states.get(site, 0.0), float(x.abs().max()))
        return x


class _Rounded(_Exactly):
    """Products see codes of the candidate's widths; results, states and gates are 16-bit fixed point."""

    _gates = fixed_point_grid(1.0)

    def __init__(
        self, bits: Bits, grids: Mapping[str, dict[int, Grid]], ranges: _Ranges, weights: dict[str, torch.Tensor]
    ):
        self._bits = bits
        self._grids = grids
        self._weights = weights
        self._results = {site: fixed_point_grid(largest) for site, largest in ranges.results.items()}
        self._states = {site: fixed_point_grid(largest) for site, largest in ranges.states.items()}

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        return self._grids[site][self._bits[site][1]].round(x)

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        return self._weights[site]

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        return self._results[site].round(y)

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        return self._states[site].round(x)

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        return self._gates.round(x)


@contextmanager
def _replaced(parts: Mapping[str, nn.Module], arithmetic: _Exactly) -> Iterator[None]:
    """Layers compute in that arithmetic while the context is open."""
    try:
        for path, part in parts.items():
            part.forward = _computing(path, part, arithmetic)  # type: ignore[method-assign]
        yield
    finally:
        for part in parts.values():
            del part.forward


def _computing(path: str, part: nn.Module, arithmetic: _Exactly) -> Callable[..., Any]:
    if isinstance(part, nn.LSTM | nn.GRU):
        return lambda x, state=None: _torch_recurrent(path, part, arithmetic, x, state)
    if isinstance(part, Recurrent):
        return lambda x: _own_recurrent(path, part, arithmetic, x)

    def forward(x: torch.Tensor) -> torch.Tensor:
        x, weight = arithmetic.input(path, x), arithmetic.weight(path, part.weight)  # type: ignore[arg-type]
        if isinstance(part, nn.Linear):
            y = nn.functional.linear(x, weight, part.bias)
        else:
            y = part._conv_forward(x, weight, part.bias)  # type: ignore[operator]
        return arithmetic.result(path, y)

    return forward


def _torch_recurrent(
    path: str, part: nn.LSTM | nn.GRU, arithmetic: _Exactly, x: Any, state: Any
) -> tuple[torch.Tensor, Any]:
    """torch's LSTM or GRU step by step; the state that it begins with is zero."""
    if state is not None or not isinstance(x, torch.Tensor) or x.dim() != 3:
        raise InputError(
            f"{path}: {type(part).__name__}: called with a state, a packed sequence or no batch, which cannot be traced"
        )
    cell = CELLS["lstm" if isinstance(part, nn.LSTM) else "gru"]
    x = x.transpose(0, 1) if part.batch_first else x
    last = []
    for layer in range(part.num_layers):
        directions = []
        for suffix in ("", "_reverse")[: 2 if part.bidirectional else 1]:
            name = f"{layer}{'b' * bool(suffix)}"
            bias, extra = _biases(part, f"l{layer}{suffix}", cell)
            sites = f"{path}.W{name}", f"{path}.U{name}"
            kinds = zip(sites, ("ih", "hh"), strict=True)
            w, u = (arithmetic.weight(site, getattr(part, f"weight_{kind}_l{layer}{suffix}")) for site, kind in kinds)
            h, states = _steps(*sites, cell, arithmetic, x.flip(0) if suffix else x, w, u, bias, extra)
            last.append(states)
            directions.append(h.flip(0) if suffix else h)
        x = torch.cat(directions, -1)
    kept = tuple(torch.stack(parts) for parts in zip(*last, strict=True))
    return (x.transpose(0, 1) if part.batch_first else x), (kept if isinstance(part, nn.LSTM) else kept[0])


def _biases(part: nn.LSTM | nn.GRU, name: str, cell: type[Cell]) -> tuple[torch.Tensor, torch.Tensor]:
    """What is added to the input product, and the recurrent bias that has to stay apart (GRU's)."""
    cells = part.hidden_size
    if not part.bias:
        return torch.zeros(cell.gates * cells), torch.zeros(1, cells)
    bias, recurrent = getattr(part, f"bias_ih_{name}").clone(), getattr(part, f"bias_hh_{name}")
    together = (cell.gates - cell.recurrent_biases) * cells
    bias[:together] += recurrent[:together]
    return bias, recurrent[None, together:]


def _steps(
    input_site: str, site: str, cell: type[Cell], arithmetic: _Exactly, x: torch.Tensor, w: torch.Tensor,
    u: torch.Tensor, bias: torch.Tensor, extra: torch.Tensor,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:  # fmt: skip
    """One layer and direction, of weights as that arithmetic has them: h (T, B, C) and what it ends with."""
    products = arithmetic.result(input_site, nn.functional.linear(arithmetic.input(input_site, x), w, bias))
    state = tuple(x.new_zeros(1, x.shape[1], u.shape[1]) for _ in range(cell.states))
    out = []
    for frame in products:
        a = arithmetic.input(site, state[0]) @ u.T
        state = cell.step(
            frame[None], arithmetic.result(site, a), extra, state, arithmetic.gate,
            lambda value: arithmetic.state(site, value), lambda value: arithmetic.result(site, value),
        )  # fmt: skip
        out.append(state[0][0])
    return torch.stack(out), tuple(part[0] for part in state)


def _own_recurrent(path: str, part: Recurrent, arithmetic: _Exactly, x: torch.Tensor) -> torch.Tensor:
    """Both directions of a layer of `quant.own.recurrent_layers`: x (T, B, K) → (T, B, 2·C)."""
    if part.U is not None:
        whole = arithmetic.weight(f"{path}.W", part.W), arithmetic.weight(f"{path}.U", part.U), part.B
        halves = []
        for d, (w, u, bias) in enumerate(zip(*(each.chunk(2) for each in whole), strict=True)):
            turned = x.flip(0) if d else x
            h, _ = _steps(f"{path}.W", f"{path}.U", part.rule, arithmetic, turned, w, u, bias, part.R[d : d + 1])
            halves.append(h.flip(0) if d else h)
        return torch.cat(halves, -1)
    site = f"{path}.W"
    u = nn.functional.linear(arithmetic.input(site, x), arithmetic.weight(site, part.W))
    u = arithmetic.result(site, u).unflatten(-1, (2, GATES, part.cells))
    lengths = torch.full((x.shape[1],), len(x))
    if isinstance(arithmetic, _Rounded):
        vectors = fixed_point_grid(float(part.V.abs().max())).round(part.V)
        steps = arithmetic._results[site].step, arithmetic._states[site].step
        return sru_recurrence_fixed(u, torch.ones(u.shape[2:]), vectors, lengths, *steps).flatten(2)
    arithmetic.state(site, u[..., 0, :])  # the state is a mean of past inputs
    return sru_recurrence(u, part.V, lengths).flatten(2)
