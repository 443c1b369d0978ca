"""Many candidates' traces and costs from one trace of their model, instead of a trace by the model for each: what a
method asks about thousands of times between two evaluations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from quant.sites.candidate import Bits
from simulators import Trace
from simulators.workloads.operations import AnyLayer

_FOLLOWED = (0, 1, 1)
"""Which of a site's (weight bits, activation bits) a layer's widths follow, of those that follow one: weights,
activations and results."""


@dataclass(frozen=True)
class FastTraces:
    """A model's trace and the sites that its widths follow. It holds for a model whose traces differ in widths alone,
    each of which is one of a site's, or never changes."""

    trace: Trace
    """The trace of any one candidate."""
    sites: tuple[str, ...]
    """All sites of the model."""
    follows: NDArray[np.int64]
    """(layers, 3) The number of the site that each width follows; -1 where it never changes."""
    layers: dict[tuple[int, int, int, int], AnyLayer] = field(default_factory=dict)
    """Layers that were made, by position and widths."""

    @classmethod
    def found(
        cls, trace: Callable[[Bits], Trace], sites: Sequence[str], pairs: Sequence[tuple[int, int]]
    ) -> Self | None:
        """What holds for a model whose traces are `trace`'s, with legal (weight bits, activation bits); None where a
        few candidates show that it does not hold."""
        wide, narrow = max(pairs), min(pairs)
        base = dict.fromkeys(sites, wide)
        whole = trace(base)
        follows = np.full((len(whole.layers), 3), -1, np.int64)
        for number, site in enumerate(sites):
            changed = trace({**base, site: narrow})
            if len(changed.layers) != len(whole.layers):
                return None
            follows[_widths(changed) != _widths(whole)] = number
        fast = cls(whole, tuple(sites), follows)
        mixed = [{site: pairs[(i + first) % len(pairs)] for i, site in enumerate(sites)} for first in range(len(pairs))]
        probes = [*(dict.fromkeys(sites, pair) for pair in pairs), *mixed]
        alike = all(made == trace(bits) for made, bits in zip(fast.traces(probes), probes, strict=True))
        return fast if alike else None

    def widths(self, candidates: Sequence[Bits]) -> NDArray[np.int64]:
        """(N, layers, 3) Widths of weights, activations and results of every layer, for N candidates."""
        of_sites = np.array([[bits[site] for site in self.sites] for bits in candidates], np.int64)
        of_sites = of_sites.reshape(len(candidates), len(self.sites), 2)
        return np.where(self.follows >= 0, of_sites[:, self.follows, _FOLLOWED], _widths(self.trace))

    def traces(self, candidates: Sequence[Bits]) -> list[Trace]:
        """The trace of each candidate."""
        fields = dict(self.trace)
        return [
            Trace.model_construct(**{**fields, "layers": tuple(self._layer(at, *of) for at, of in enumerate(widths))})
            for widths in self.widths(candidates).tolist()
        ]

    def _layer(self, at: int, first_bits: int, activation_bits: int, output_bits: int) -> AnyLayer:
        key = (at, first_bits, activation_bits, output_bits)
        if key not in self.layers:
            self.layers[key] = self.trace.layers[at].at_bits(first_bits, activation_bits, output_bits)
        return self.layers[key]


def _widths(trace: Trace) -> NDArray[np.int64]:
    """(layers, 3) Widths of weights, activations and results of a trace's layers."""
    return np.array([(*layer.operand_bits, layer.output_bits) for layer in trace.layers], np.int64)
