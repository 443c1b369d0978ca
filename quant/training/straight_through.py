"""Quantized weights and activations in every training pass, full-precision weights under them.

Binary-connect (Courbariaux et al. 2015): products see weights and activations on the candidate's grids, gradients pass
the rounding as if it were not there, and the optimiser moves the full-precision weights, which are what is kept. What
is wider than a product (sums, gates, states) stays in floating point, for 16 bits do not change it. Grids of weights
follow the weights.

Where a candidate has thresholds, products see what a delta network holds (Neil et al. 2017 train with the threshold in
the forward pass, too): what is not sent is as it was sent last, in the codes of the site's grid, and its gradient goes
to the value that was not sent, as if it had been.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.float_arithmetic import FloatArithmetic, Rounding
from quant.arithmetic.grid import Grid
from quant.arithmetic.kernels import hold
from quant.networks.network import Network
from quant.sites.candidate import FIXED_POINT_BITS, Bits
from quant.sites.delta_pair import in_codes, thresholds_in
from quant.training.product_types import Products, dtype_of

REFRESH = 25
"""Passes after which the grids of the weights are chosen again."""


class OnGrid(torch.autograd.Function):
    """Values on a grid, whose gradients are zero where they are clipped."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        codes = torch.mul(x, 1.0 / grid.step).round_()
        inside = (codes >= grid.lowest) & (codes <= grid.highest)
        ctx.save_for_backward(inside)
        return codes.clamp_(grid.lowest, grid.highest).mul_(grid.step)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        (inside,) = ctx.saved_tensors
        return grad * inside, None


class HeldOnGrid(torch.autograd.Function):
    """Values (T, B, K) on a grid, of which those that are no more than so many codes from what was sent last are as
    that was; gradients as of `OnGrid`. What lies past an utterance's end comes after all of it, and changes nothing."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, grid: Grid, unsent: int) -> torch.Tensor:
        codes = torch.mul(x, 1.0 / grid.step).round_()
        inside = (codes >= grid.lowest) & (codes <= grid.highest)
        ctx.save_for_backward(inside)
        held = codes.clamp_(grid.lowest, grid.highest).to(torch.int32)
        steps, batch = held.shape[:2]
        hold(held.numpy(), np.full(batch, steps, np.int64), unsent, np.zeros(held.shape, np.bool_))
        return held.float().mul_(grid.step)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None


class HeldStates:
    """What a delta network's recurrent product makes of the states that it reads
    (`quant.arithmetic.float_arithmetic.ReadsInOrder`)."""

    def __init__(self, grid: Grid, unsent: int):
        """`unsent`: the largest change in codes that is not sent."""
        self._grid = grid
        self._unsent = unsent
        self._held: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        codes = self._grid.encode(x.detach())
        held = torch.zeros_like(codes) if self._held is None else self._held
        self._held = torch.where((codes - held).abs() > self._unsent, codes, held)
        return self._held * self._grid.step

    def of_all(self, x: torch.Tensor) -> torch.Tensor:
        again = HeldStates(self._grid, self._unsent)
        return torch.stack([again(of_step) for of_step in x])


class WeightsOnGrid(torch.autograd.Function):
    """Weights (M, K) on grids of steps (M, 1), with gradients that pass straight through, clipped weights' too."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, steps: torch.Tensor, lowest: int, highest: int) -> torch.Tensor:
        return (weight / steps).round_().clamp_(lowest, highest).mul_(steps)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        return grad, None, None, None


class WeightGrid(NamedTuple):
    """The grids of a site's rows."""

    steps: torch.Tensor
    """(M, 1)."""
    lowest: int
    """Code of the least value."""
    highest: int
    """Code of the greatest."""

    @classmethod
    def of(cls, weight: torch.Tensor, bits: int, scheme: Scheme) -> "WeightGrid":
        """What weights (M, K) are quantized on now."""
        quantized = quantize_weights(weight.detach(), bits, scheme)
        half = 2 ** (bits - 1)
        # At 2 bits the grid may be -1, 0, 1: the lowest code is left out then.
        used = bool((quantized.codes < 1 - half).any())
        return cls(quantized.steps[:, None], -half if used or bits > 2 else -1, half - 1)


class StraightThrough(FloatArithmetic):
    """Products on the candidate's grids, of codes of up to 8 bits in a type that holds them exactly; differentiable.
    With thresholds they multiply what a delta network holds."""

    def __init__(
        self, network: Network, bits: Bits, calibration: Calibration, scheme: Scheme, products: Products = "float32"
    ):
        self._dtype = dtype_of(products)
        self._network = network
        self._bits = bits
        self._thresholds = thresholds_in(bits)
        self._calibration = calibration
        self._scheme = scheme
        self._grids: dict[str, WeightGrid] = {}
        self._passes = 0

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        if site == self._network.sites[0].name:
            self._follow_the_weights()
        grid, unsent = self._grid(site), self._unsent(site)
        x = OnGrid.apply(x, grid) if unsent is None else HeldOnGrid.apply(x, grid, unsent)
        w = self._rounded(site, weight)
        if max(self._bits[site]) < FIXED_POINT_BITS:
            # Whole codes are exact in either type; their steps are put back behind the product.
            steps = self._grids[site].steps
            y = torch.nn.functional.linear((x / grid.step).to(self._dtype), (w / steps).to(self._dtype)).float()
            y = y * (steps[:, 0] * grid.step)
        else:
            y = torch.nn.functional.linear(x, w)
        return y if bias is None else y + bias

    def recurrent_weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """The weights on their grid."""
        return self._rounded(site, weight)

    def recurrent_input(self, site: str) -> Rounding:
        """The state on the site's grid, clipped states with gradients too; held, where the site has a threshold."""
        grid, unsent = self._grid(site), self._unsent(site)
        return grid.round if unsent is None else HeldStates(grid, unsent)

    def _unsent(self, site: str) -> int | None:
        """The largest change in codes of a site's input that is not sent; None: it has no threshold."""
        threshold = self._thresholds.get(site)
        return None if threshold is None else in_codes(threshold, self._grid(site).step)

    def _grid(self, site: str) -> Grid:
        return self._calibration.grid(site, self._bits[site][1], self._scheme.activations)

    def _rounded(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        rounded: torch.Tensor = WeightsOnGrid.apply(weight, *self._grids[site])
        return rounded

    def _follow_the_weights(self) -> None:
        if self._passes % REFRESH == 0:
            for site in self._network.sites:
                weight = self._network.get_parameter(site.name)
                self._grids[site.name] = WeightGrid.of(weight, self._bits[site.name][0], self._scheme)
        self._passes += 1
