"""A user's own torch module, quantized and traced through hooks: `docs/bring-your-own-model.md`.

Layers that have weights are sites: `nn.Linear`, `nn.Conv1d`, `nn.Conv2d`, `nn.LSTM`, `nn.GRU` (every layer and
direction of them with an input site and a recurrent one) and `quant.own.recurrent_layers.Recurrent`, which has SRU,
Li-GRU and registered cells as well. Activation functions and elementwise arithmetic cost time and energy; reshaping is
free; anything else is an error that names it, for what a trace cannot express would be simulated as if it cost nothing.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import torch
from torch import nn

from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.evaluation.code import OWN_MODEL, cell_code
from quant.evaluation.rates import Rates
from quant.own.module_layers import layers_of, weights_of
from quant.own.module_tracing import Functions, ModuleTrace, observed
from quant.own.recurrent_layers import Recurrent
from quant.own.replaced_layers import replaced
from quant.own.roundings import Rounded, SeenRanges
from quant.sites.candidate import Bits, check_candidate
from simulators import Conv2d, Elementwise, Matmul, Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError

Error = float | tuple[float, float]
"""Percent; or that of the worst part of the data, and of all."""


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
        error: Callable[[nn.Module], Error],
        name: str = "own",
        data_digest: str = "",
        scheme: Scheme | None = None,
    ):
        self.module = module.eval().requires_grad_(False)
        self.name = name
        self.data_digest = data_digest
        self._error = error
        self._scheme = scheme or Scheme()
        self._layers = dict(layers_of(module))
        self._trace = ModuleTrace()
        weights = {
            site: weight.clone() for path, layer in self._layers.items() for site, weight in weights_of(path, layer)
        }
        self.sites = tuple(weights)
        self._weights = {site.name: weight for site, weight in weights.items()}
        with torch.no_grad(), observed(module, self._layers, self._trace), Functions(self._trace):
            module(example)
        used = {site for record in self._trace.records for site in record.sites}
        if idle := [site for site in self._weights if site not in used]:
            raise InputError(f"{name}: {', '.join(idle)}: the example does not pass through")
        self._ranges = SeenRanges()
        with replaced(self._layers, self._ranges), torch.no_grad():
            for x in seen:
                module(x)
        self._grids = self._ranges.grids()
        digest = hashlib.sha256(repr(module).encode())
        for parameter in module.parameters():
            digest.update(parameter.detach().numpy().tobytes())
        self.digest = f"{digest.hexdigest()}:{self._scheme.name}"

    @property
    def code(self) -> Code:
        """What decides its errors: this project's part, cells of one's own, and the module that evaluates it, if it is
        one that has a file."""
        module = getattr(self._error, "__module__", None) or type(self._error).__module__
        code = OWN_MODEL | Code((module,) if module in sys.modules or find_spec(module) else ())
        for layer in self._layers.values():
            if isinstance(layer, Recurrent):
                code |= cell_code(layer.cell)
        return code

    def evaluate(self, bits: Bits | None) -> Rates:
        """Error of a candidate; without bits, of the module as it is."""
        if bits is None:
            error = self._error(self.module)
        else:
            check_candidate(bits, self.sites)
            rounded = Rounded(bits, self._grids, self._ranges, self._quantized(bits))
            with replaced(self._layers, rounded), torch.no_grad():
                error = self._error(self.module)
        worst, whole = error if isinstance(error, tuple) and len(error) == 2 else (error, error)
        return Rates(worst, whole)

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[Rates]:
        """Errors of several candidates, one after the other."""
        return [self.evaluate(bits) for bits in candidates]

    def trace(self, bits: Bits, steps: int | None = None) -> Trace:
        """What the module computes for the example, in the order of the computation. `steps` must be the example's
        frames, if it is said."""
        check_candidate(bits, self.sites)
        frames = self._trace.frames
        if steps is not None and steps != frames:
            raise InputError(f"steps: {steps}: the example of {self.name} has {frames}")
        layers: list[Matmul | Conv2d | Elementwise] = []
        for record in self._trace.records:
            layers += record.layers(bits, len(layers))
        return Trace(name=self.name, steps=frames, layers=tuple(layers))

    def _quantized(self, bits: Bits) -> dict[str, torch.Tensor]:
        """The values of the quantized weights of each site."""
        values = {}
        for site, weight in self._weights.items():
            quantized = quantize_weights(weight.flatten(1), bits[site][0], self._scheme)
            values[site] = (quantized.codes * quantized.steps[:, None]).view(weight.shape)
        return values
