"""Calibration: a network is computed in float32, and what passes through it decides the formats of its quantization."""

from collections.abc import Callable

import numpy as np
import torch

from quant.arithmetic.calibration import Calibration, Range
from quant.arithmetic.clipping import PERCENTILE
from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.grid import fixed_point_grid, minimum_error_grid, sixteen_bit_grid
from quant.arithmetic.protocol import Arithmetic, RecurrentLayer
from quant.sites.candidate import FIXED_POINT_BITS, INTEGER_BITS


class Observer(FloatArithmetic):
    """Computes in float32 and keeps what passes, over the true frames of a batch of utterances."""

    def __init__(self, lengths: torch.Tensor):
        """`lengths` (B,) in frames."""
        self._lengths = lengths
        self.inputs: dict[str, torch.Tensor] = {}
        """The values of each site's input as they are."""
        self.medians: dict[str, float] = {}
        """The median of the utterances' largest magnitudes of each site's input."""
        self.results: dict[str, float] = {}
        """The largest magnitude of each site's result."""
        self.states: dict[str, float] = {}
        """The largest magnitude of what each recurrence keeps."""

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The float32 product, whose input and result are noted."""
        y = super().product(site, x, weight, bias)
        self.see_input(site, x)
        self.see_result(site, y)
        return y

    def recurrence(self, layer: RecurrentLayer, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The float32 recurrence, whose layer says what there is to see."""
        return layer.observed(x, lengths, self)

    def see_input(self, site: str, x: torch.Tensor) -> None:
        """Note a site's input (T, B, …)."""
        true = self.true_frames(x)
        self.inputs[site] = x[true]
        largest = x.abs().flatten(2).amax(2).masked_fill(~true, 0.0).amax(0)
        self.medians[site] = float(largest.median())

    def see_result(self, site: str, *values: torch.Tensor) -> None:
        """Note a site's result (T, B, …), or several that share its format."""
        self.results[site] = max(self._largest(x) for x in values)

    def see_state(self, site: str, state: torch.Tensor) -> None:
        """Note what a recurrence keeps from step to step (T, B, …)."""
        self.states[site] = self._largest(state)

    def true_frames(self, x: torch.Tensor) -> torch.Tensor:
        """(T, B): whether a frame of x (T, B, …) is one of its utterance."""
        return torch.arange(len(x))[:, None] < self._lengths

    def _largest(self, x: torch.Tensor) -> float:
        return float(x[self.true_frames(x)].abs().max())


@torch.no_grad()
def calibrate(
    network: Callable[[torch.Tensor, torch.Tensor, Arithmetic], torch.Tensor],
    features: torch.Tensor,
    lengths: torch.Tensor,
) -> Calibration:
    """Formats of everything that is not a weight, from one batch of utterances: features (T, B, F), lengths (B,) in
    frames."""
    observer = Observer(lengths)
    network(features, lengths, observer)
    activations, ranges = {}, {}
    for site, x in observer.inputs.items():
        magnitudes = x.abs().flatten().numpy()
        ranges[site] = Range(
            float(magnitudes.max()), float(np.percentile(magnitudes, PERCENTILE)), observer.medians[site]
        )
        grids = {bits: minimum_error_grid(x, bits) for bits in INTEGER_BITS}
        activations[site] = {**grids, FIXED_POINT_BITS: sixteen_bit_grid(x)}
    return Calibration(
        activations=activations,
        ranges=ranges,
        results={site: fixed_point_grid(largest) for site, largest in observer.results.items()},
        states={site: fixed_point_grid(largest) for site, largest in observer.states.items()},
    )
