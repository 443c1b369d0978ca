"""Post-training quantization: any candidate evaluated with integer products.

A site's activations and weights are encoded to integers, multiplied exactly, rescaled, and held as 16-bit fixed point;
gates, states and vectors are 16-bit fixed point throughout (MOHAQ, Rezk et al. 2022, section 4).
`quant.arithmetic.integer_reference` computes the same with whole numbers alone.
"""

from collections.abc import Callable

import torch

from quant.arithmetic import kernels
from quant.arithmetic.calibration import Calibration
from quant.arithmetic.delta import Delta
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import OperandCodes, Weights, encode
from quant.arithmetic.protocol import RecurrentLayer
from quant.arithmetic.weights import Arranged, QuantizedWeights
from quant.sites.candidate import Bits


class QuantizedArithmetic:
    """Inference as the hardware computes it, for one candidate. Products are exact; see `quant.arithmetic.products`."""

    integer_products = True

    def __init__(self, bits: Bits, weights: QuantizedWeights, calibration: Calibration, delta: Delta | None = None):
        """`delta`: which changes of an input are not transmitted (a delta network); it collects what was."""
        self.calibration = calibration
        self.delta = delta
        self._bits = bits
        self._weights = weights

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """16-bit fixed point of the exact product of codes: x (..., K) → (..., M)."""
        codes, grid = self.codes(site, x)
        w = self._weights(site, self._bits[site][0])
        sums = w.multiply(codes)
        result = self.calibration.results[site]
        rounded = torch.zeros(len(w.codes)) if bias is None else result.round(bias)
        y = torch.empty(sums.shape)
        flat = (-1, len(w.codes))
        kernels.requantize(
            sums.view(flat).numpy(), (w.steps * grid.step).numpy(), rounded.numpy(), result.step, y.view(flat).numpy()
        )
        return y

    def recurrence(self, layer: RecurrentLayer, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """A bidirectional recurrent layer: x (T, B, K), lengths (B,) in frames → h (T, B, 2, C)."""
        return layer.in_fixed_point(x, lengths, self)

    def codes(self, site: str, x: torch.Tensor) -> tuple[OperandCodes, Grid]:
        """What a product reads of x (T, B, K), and its grid."""
        grid = self.grid(site)
        if self.delta and site in self.delta.thresholds:
            return self.delta.held(site, x, grid), grid
        return encode(x, grid), grid

    def grid(self, site: str) -> Grid:
        """The grid of a site's activations at the candidate's width."""
        return self.calibration.grid(site, self._bits[site][1], self._weights.scheme.activations)

    def threshold(self, site: str) -> int:
        """How far, in codes, an element may be from what was transmitted last and still not be; -1 without a delta
        network: everything is transmitted."""
        return self.delta.thresholds.get(site, -1) if self.delta else -1

    def arranged(self, site: str, arrange: Callable[[Weights], Arranged]) -> Arranged:
        """A site's weights at the candidate's width as its cell wants them: see `QuantizedWeights.arranged`."""
        return self._weights.arranged(site, self._bits[site][0], arrange)
