"""Post-training quantization: any candidate evaluated with integer products.

A site's activations and weights are encoded to integers, multiplied exactly, rescaled, and held as 16-bit fixed point;
gates, states and vectors are 16-bit fixed point throughout (MOHAQ, Rezk et al. 2022, section 4).
`quant.integer_reference` computes the same with whole numbers alone.
"""

import numpy as np
import torch

from quant import kernels
from quant.calibration import Calibration
from quant.candidate import FIXED_POINT_BITS, Bits
from quant.clipping import Scheme, quantize_weights
from quant.delta import Delta
from quant.integer_products import Operand, Weights, encode
from quant.models.arithmetic import in_time, side_by_side
from quant.models.cells import Cell
from quant.models.networks import Network
from quant.models.recurrence import sru_recurrence_fixed, use_torch_threads
from quant.models.site import DIRECTIONS
from quant.quantizer import Grid, fixed_point_grid
from simulators.errors import InputError

_STEPS = {"lstm": kernels.lstm_step, "gru": kernels.gru_step, "ligru": kernels.ligru_step}


class QuantizedWeights:
    """Codes of a network's weight matrices, each quantized once per (site, bits) and kept."""

    def __init__(
        self, network: Network, scheme: Scheme | None = None, only: dict[tuple[str, int], Weights] | None = None
    ):
        """`only`: codes that are there already, for the sites and bits that there are."""
        self._network = network
        self.scheme = scheme or Scheme()
        self._kept: dict[tuple[str, int], Weights] = only or {}
        self._closed = only is not None
        self._directions: dict[tuple[str, int], tuple[Weights, Weights]] = {}

    def __call__(self, site: str, bits: int) -> Weights:
        key = (site, bits)
        if key not in self._kept:
            if self._closed:
                raise InputError(f"site {site}: {bits} bits: the exported model has other weights")
            self._kept[key] = quantize_weights(self._network.get_parameter(site).detach(), bits, self.scheme)
        return self._kept[key]

    def directions(self, site: str, bits: int) -> tuple[Weights, Weights]:
        """The recurrent matrices of both directions."""
        key = (site, bits)
        if key not in self._directions:
            both = self(site, bits)
            halves = zip(both.codes.chunk(DIRECTIONS), both.steps.chunk(DIRECTIONS), strict=True)
            forward, backward = (Weights(codes, steps, bits) for codes, steps in halves)
            self._directions[key] = (forward, backward)
        return self._directions[key]


class QuantizedArithmetic:
    """Inference as the hardware computes it, for one candidate. Products are exact; see `quant.integer_products`."""

    def __init__(self, bits: Bits, weights: QuantizedWeights, calibration: Calibration, delta: Delta | None = None):
        """`delta`: which changes of an input are not transmitted (a delta network); it collects what was."""
        self._bits = bits
        self._weights = weights
        self._calibration = calibration
        self._delta = delta

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        w, grid = self._operands(site)
        codes = self._delta.held(site, x, grid) if self._delta and site in self._delta.thresholds else encode(x, grid)
        sums = w.multiply(codes)
        if site in self._calibration.states:
            return sums  # the recurrence rescales and rounds its input itself
        result = self._calibration.results[site]
        rounded = torch.zeros(len(w.codes)) if bias is None else result.round(bias)
        y = torch.empty(sums.shape)
        flat = (-1, len(w.codes))
        use_torch_threads()
        kernels.requantize(
            sums.view(flat).numpy(), (w.steps * grid.step).numpy(), rounded.numpy(), result.step, y.view(flat).numpy()
        )
        return y

    def sru(self, site: str, u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        w, grid = self._operands(site)
        vectors = fixed_point_grid(float(vectors.abs().max())).round(vectors)
        return sru_recurrence_fixed(
            u, (w.steps * grid.step).view(u.shape[2:]), vectors, lengths,
            self._calibration.results[site].step, self._calibration.states[site].step,
        )  # fmt: skip

    def recurrence(
        self,
        site: str,
        cell: type[Cell],
        u: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        lengths: torch.Tensor,
    ) -> torch.Tensor:
        """Step by step: the state is encoded to the site's activation bits, multiplied as integers, and everything
        else is 16-bit fixed point. Longest utterances first, so that those that have ended cost nothing."""
        weight_bits, activation_bits = self._bits[site]
        _, grid = self._operands(site)
        halves = self._weights.directions(site, weight_bits)
        scale = (torch.stack([half.steps for half in halves]) * grid.step).numpy()
        sums, memory = self._calibration.results[site], self._calibration.states[site]
        order = torch.argsort(lengths, descending=True, stable=True)
        u = sums.round(side_by_side(u, lengths)[:, :, order])
        steps, _, batch, _ = u.shape
        h = u.new_zeros(DIRECTIONS, batch, halves[0].codes.shape[1])
        c, out = torch.zeros_like(h), u.new_zeros(steps, *h.shape)
        held = np.zeros(h.shape, np.int32)
        active = np.zeros((steps, DIRECTIONS, batch), np.int32)
        threshold = self._delta.thresholds.get(site, -1) if self._delta else -1
        wide = activation_bits == FIXED_POINT_BITS
        fixed_bias = sums.round(bias).numpy()
        running = (lengths[:, None] > torch.arange(steps)).sum(0).tolist()
        step = _STEPS[cell.name]
        use_torch_threads()
        for t, n in enumerate(running):
            if not n:
                break
            high = torch.empty((DIRECTIONS, n, h.shape[2]), dtype=torch.int8)
            low = torch.empty_like(high) if wide else high
            kernels.transmit(
                h.numpy(), np.float32(1.0 / grid.step), np.float32(grid.lowest), np.float32(grid.highest), threshold,
                held, high.numpy(), low.numpy(), wide, active[t],
            )  # fmt: skip
            products = [half.multiply(Operand(high[d], low[d] if wide else None)) for d, half in enumerate(halves)]
            step(
                torch.stack(products).numpy(), scale, u[t].numpy(), fixed_bias, h.numpy(), c.numpy(),
                np.float32(sums.step), np.float32(memory.step),
            )  # fmt: skip
            out[t, :, :n] = h[:, :n]
        if self._delta and site in self._delta.thresholds:
            self._delta.record(site, active[:, :, torch.argsort(order).numpy()], h.shape[2])
        return in_time(out[:, :, torch.argsort(order)], lengths)

    def _operands(self, site: str) -> tuple[Weights, Grid]:
        weight_bits, activation_bits = self._bits[site]
        grid = self._calibration.grid(site, activation_bits, self._weights.scheme.activations)
        return self._weights(site, weight_bits), grid
