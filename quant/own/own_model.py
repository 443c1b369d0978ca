"""A user's own torch module, quantized and traced through hooks: `docs/bring-your-own-model.md`.

Layers that have weights are sites: `nn.Linear`, `nn.Conv1d`, `nn.Conv2d`, `nn.LSTM`, `nn.GRU` (every layer and
direction of them with an input site and a recurrent one) and `quant.own.recurrent_layers.Recurrent`, which has SRU,
Li-GRU and registered cells as well. Activation functions and elementwise arithmetic cost time and energy; reshaping is
free; anything else is an error that names it, for what a trace cannot express would be simulated as if it cost nothing.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.evaluation.code import OWN_MODEL, cell_code
from quant.own.content_digest import content_digest
from quant.own.formats import Formats, Seen
from quant.own.module_layers import first_with_weights, layers_of, weights_of
from quant.own.module_tracing import Functions, ModuleTrace, observed
from quant.own.own_rates import FileBits, OwnRates
from quant.own.recurrent_layers import Recurrent
from quant.own.replaced_layers import replaced
from quant.own.roundings import Rounded
from quant.own.saturation import SiteSaturation
from quant.sites.candidate import BIT_WIDTHS, Bits, check_candidate
from simulators import Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError

Error = float | tuple[float, float]
"""Percent; or that of the worst part of the data, and of all."""
Inputs = torch.Tensor | Sequence[Any] | Mapping[str, Any]
"""What a module is called with: one tensor, several arguments in order, or arguments by name."""


class OwnModel:
    """A module as the search takes it: a copy, so that the module stays as it is, and this as it was.

    `example` is one input with a batch of one: it gives the trace its shapes; of a larger batch all is counted. `seen`
    are inputs that formats are chosen by. `error` evaluates the module that it is given: percent, or (worst part, all).
    `data_digest` tells the data of `error` apart; by default that is known from what the function holds, reads and
    closes over. `frames` is the example's time in frames of 10 ms, by default the most steps of a recurrent layer.
    Raises InputError, which names the module within, for one or for an operation that a trace cannot express.
    """

    bit_widths = BIT_WIDTHS
    """Widths in bits that weights and activations may have."""

    def __init__(
        self,
        module: nn.Module,
        example: Inputs,
        seen: Sequence[Inputs],
        error: Callable[[nn.Module], Error],
        name: str = "own",
        data_digest: str = "",
        scheme: Scheme | None = None,
        frames: int | None = None,
    ):
        if len(seen) == 0:
            raise InputError(f"{name}: seen: there are no inputs in it, by which formats are chosen")
        layers_of(module)  # before it is copied, which not all that is refused can be
        self.name = name
        self.module = _copied(module, name)
        self.scheme = scheme or Scheme()
        self.data_digest = data_digest or content_digest(error)
        self._error = error
        self._layers = layers_of(self.module)
        first = first_with_weights(self._layers)
        sites = {
            site: weight.clone()
            for path, layer in self._layers.items() if first[path] == path
            for site, weight in weights_of(path, layer)
        }  # fmt: skip
        self.sites = tuple(sites)
        self._weights = {site.name: weight for site, weight in sites.items()}
        self._quantized: dict[tuple[str, int], torch.Tensor] = {}
        self._trace = self._traced(example)
        self.frames = self._trace.frames if frames is None else frames
        self._seen = self._calibrated(seen)
        self._formats = self._chosen_formats()
        self._content = content_digest(module, example, seen, _without_data(error))

    @property
    def digest(self) -> str:
        """Tells parameters, code and calibration data of the module apart, and how it is quantized."""
        return f"{self._content}:{self.scheme.name}"

    @property
    def code(self) -> Code:
        """What decides its errors: this project's part, cells of one's own, and the modules of Python that its classes
        and what evaluates it are of, if they have files."""
        modules = [getattr(self._error, "__module__", None) or type(self._error).__module__]
        modules += [type(part).__module__ for part in self.module.modules()]
        others = {"torch", "quant", *sys.builtin_module_names}
        own = [each for each in dict.fromkeys(modules) if each.split(".")[0] not in others]
        code = OWN_MODEL | Code(tuple(each for each in own if each in sys.modules or find_spec(each)))
        for layer in self._layers.values():
            if isinstance(layer, Recurrent):
                code |= cell_code(layer.cell)
        return code

    @property
    def file_bits(self) -> dict[str, FileBits]:
        """Widths that a file has quantizers for: a module has none."""
        return {}

    def with_scheme(self, scheme: Scheme) -> "OwnModel":
        """The model with another scheme of clipping, by the same inputs."""
        other = copy(self)
        other.scheme, other._quantized = scheme, {}
        other._formats = other._chosen_formats()
        return other

    def evaluate(self, bits: Bits | None) -> OwnRates:
        """Error of a candidate, with what saturated; without bits, of the module in float32."""
        if bits is None:
            return _rates(self._measured())
        check_candidate(bits, self.sites)
        return self.evaluate_some(bits)

    def float_error(self) -> OwnRates:
        """Error of the module in float32, which a search holds its 16-bit baseline against."""
        return self.evaluate(None)

    def evaluate_some(self, bits: Bits) -> OwnRates:
        """Error with the sites that `bits` names quantized, and all others in float32."""
        rounded = Rounded(bits, self._formats, {site: self._values(site, w) for site, (w, _) in bits.items()})
        with replaced(self._layers, rounded):
            error = self._measured()
        return _rates(error, rounded.saturation.by_site())

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[OwnRates]:
        """Errors of several candidates, one after the other."""
        return [self.evaluate(bits) for bits in candidates]

    def trace(self, bits: Bits, steps: int | None = None) -> Trace:
        """What the module computes for the example, in the order of the computation. `steps` must be the example's
        frames, if it is said."""
        check_candidate(bits, self.sites)
        if steps is not None and steps != self.frames:
            raise InputError(f"steps: {steps}: the example of {self.name} has {self.frames}")
        return Trace(name=self.name, steps=self.frames, layers=tuple(self._trace.layers(bits)))

    def _measured(self) -> Error:
        """What the function of the user returns; it may have set modes, which are set again."""
        with torch.no_grad():
            return self._error(self.module.eval())

    def _traced(self, example: Inputs) -> ModuleTrace:
        trace = ModuleTrace({id(buffer): buffer for buffer in self.module.buffers()})
        with torch.no_grad(), observed(self.module, self._layers, trace), Functions(trace):
            _call(self.module, example)
        trace.forget_tensors()
        used = {site for record in trace.records for site in record.sites}
        if idle := [site for site in self._weights if site not in used]:
            raise InputError(f"{self.name}: {', '.join(idle)}: the example does not pass through")
        return trace

    def _calibrated(self, seen: Sequence[Inputs]) -> Seen:
        kept = Seen()
        with torch.no_grad(), replaced(self._layers, kept):
            for inputs in seen:
                _call(self.module, inputs)
                kept.next_input()
        if idle := [site for site in self._weights if site not in kept.sites]:
            raise InputError(f"{self.name}: {', '.join(idle)}: no input of `seen` passes through")
        return kept

    def _chosen_formats(self) -> Formats:
        return self._seen.formats(self.scheme.activations, self._trace.flat_readers())

    def _values(self, site: str, bits: int) -> torch.Tensor:
        """The values of the quantized weights of a site."""
        if (site, bits) not in self._quantized:
            weight = self._weights[site]
            quantized = quantize_weights(weight.flatten(1), bits, self.scheme)
            self._quantized[site, bits] = (quantized.codes * quantized.steps[:, None]).view(weight.shape)
        return self._quantized[site, bits]


def _copied(module: nn.Module, name: str) -> nn.Module:
    try:
        return deepcopy(module).eval().requires_grad_(False)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"{name}: {type(module).__name__}: it cannot be copied: {error}") from error


def _call(module: nn.Module, inputs: Inputs) -> Any:
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(inputs) if isinstance(inputs, torch.Tensor) else module(*inputs)


def _without_data(error: Callable[..., Any]) -> Any:
    """The code of what evaluates, where it is Python's."""
    return getattr(error, "__code__", None) or type(error)


def _rates(error: Error, saturation: tuple[SiteSaturation, ...] = ()) -> OwnRates:
    worst, whole = error if isinstance(error, tuple) and len(error) == 2 else (error, error)
    return OwnRates(worst, whole, saturation)
