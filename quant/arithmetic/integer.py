"""Post-training quantization: any candidate evaluated with integer products.

A site's activations and weights are encoded to integers, multiplied exactly, rescaled, and held as 16-bit fixed point;
gates, states and vectors are 16-bit fixed point throughout (MOHAQ, Rezk et al. 2022, section 4).
`quant.arithmetic.reference` computes the same with whole numbers alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import pad

from quant.arithmetic import kernels
from quant.arithmetic.calibration import Calibration
from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.delta import Delta
from quant.arithmetic.grid import Grid, fixed_point_grid
from quant.arithmetic.products import Operand, Weights, encode
from quant.networks.cells import Cell
from quant.networks.registry import Network
from quant.sites.candidate import FIXED_POINT_BITS, Bits
from quant.sites.site import DIRECTIONS
from simulators.inputs.errors import InputError

_STEPS = {"lstm": kernels.lstm_step, "gru": kernels.gru_step, "ligru": kernels.ligru_step}


CELLS_AT_ONCE = 280
"""Of a layer of SRU, at most: fewer keep more in the caches and take more calls."""
CELLS_PER_WORD = 16
"""float32 numbers in the widest machine word of today, 512 bits."""


@dataclass(frozen=True)
class SruBlock:
    """The weights (3·W, K) of W cells of one direction, from cell `first` on, and their steps (3, W). What lies past
    the last cell is zero."""

    weights: Weights
    steps: np.ndarray
    direction: int
    first: int


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
        self._blocks: dict[tuple[str, int], tuple[SruBlock, ...]] = {}
        self._directions: dict[tuple[str, int], tuple[Weights, Weights]] = {}

    def __call__(self, site: str, bits: int) -> Weights:
        key = (site, bits)
        if key not in self._kept:
            if self._closed:
                raise InputError(f"site {site}: {bits} bits: the exported model has other weights")
            self._kept[key] = quantize_weights(self._network.get_parameter(site).detach(), bits, self.scheme)
        return self._kept[key]

    def prepare(self, bits: Bits) -> None:
        """Quantize what a candidate needs: once, before several threads ask for it. Raises InputError for what an
        exported model does not have."""
        for site, (weight_bits, _) in bits.items():
            self(site, weight_bits)

    def directions(self, site: str, bits: int) -> tuple[Weights, Weights]:
        """The recurrent matrices of both directions."""
        key = (site, bits)
        if key not in self._directions:
            both = self(site, bits)
            halves = zip(both.codes.chunk(DIRECTIONS), both.steps.chunk(DIRECTIONS), strict=True)
            forward, backward = (Weights(codes, steps, bits) for codes, steps in halves)
            self._directions[key] = (forward, backward)
        return self._directions[key]

    def sru_blocks(self, site: str, bits: int, cells: int) -> tuple[SruBlock, ...]:
        """The matrix of a layer of SRU, (2·3·C, K), in parts of some cells each."""
        key = (site, bits)
        if key not in self._blocks:
            whole = self(site, bits)
            by_gate = (DIRECTIONS, -1, cells)
            words = -(-cells // CELLS_PER_WORD)
            width = CELLS_PER_WORD * -(-words // -(-cells // CELLS_AT_ONCE))
            firsts = range(0, cells, width)
            missing = len(firsts) * width - cells
            codes = pad(whole.codes.unflatten(0, by_gate), (0, 0, 0, missing))  # (2, 3, cells and more, K)
            steps = pad(whole.steps.unflatten(0, by_gate), (0, missing))
            found = []
            for direction in range(DIRECTIONS):
                for first in firsts:
                    own = direction, slice(None), slice(first, first + width)
                    weights = Weights(codes[own].flatten(0, 1), steps[own].flatten(), bits)
                    found.append(SruBlock(weights, steps[own].numpy(), direction, first))
            self._blocks[key] = tuple(found)
        return self._blocks[key]


class QuantizedArithmetic:
    """Inference as the hardware computes it, for one candidate. Products are exact; see `quant.arithmetic.products`."""

    def __init__(self, bits: Bits, weights: QuantizedWeights, calibration: Calibration, delta: Delta | None = None):
        """`delta`: which changes of an input are not transmitted (a delta network); it collects what was."""
        self._bits = bits
        self._weights = weights
        self._calibration = calibration
        self._delta = delta

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        codes, grid = self._codes(site, x)
        w = self._weights(site, self._bits[site][0])
        sums = w.multiply(codes)
        result = self._calibration.results[site]
        rounded = torch.zeros(len(w.codes)) if bias is None else result.round(bias)
        y = torch.empty(sums.shape)
        flat = (-1, len(w.codes))
        kernels.requantize(
            sums.view(flat).numpy(), (w.steps * grid.step).numpy(), rounded.numpy(), result.step, y.view(flat).numpy()
        )
        return y

    def sru(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """h as int16 in gate steps, which `encode` knows. Some cells at a time, whose sums are still in the caches when
        the recurrence reads them."""
        weight_bits, _ = self._bits[site]
        codes, grid = self._codes(site, x)
        fixed = fixed_point_grid(float(vectors.abs().max())).round(vectors)
        u_step = np.float32(self._calibration.results[site].step)
        state_step = np.float32(self._calibration.states[site].step)
        h = torch.empty(*x.shape[:2], *fixed.shape[::2], dtype=torch.int16)
        blocks = self._weights.sru_blocks(site, weight_bits, fixed.shape[2])
        shape = *x.shape[:2], *blocks[0].steps.shape
        room = torch.empty(shape, dtype=torch.int32).view(-1, blocks[0].steps.size)
        step, recurrent = np.float32(grid.step), (fixed.numpy(), lengths.numpy(), h.numpy())
        for block in blocks:
            sums = block.weights.multiply(codes, room).view(shape).numpy()
            kernels.sru_forward_fixed(
                sums, block.steps * step, *recurrent, block.direction, block.first, u_step, state_step
            )
        return h

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
        grid = self._grid(site)
        halves = self._weights.directions(site, weight_bits)
        steps, batch, cells = *u.shape[:2], halves[0].codes.shape[1]
        by_gate = (cell.gates, cells)
        scale = (torch.stack([half.steps for half in halves]) * grid.step).view(DIRECTIONS, *by_gate).numpy()
        sums, memory = self._calibration.results[site], self._calibration.states[site]
        order = torch.argsort(lengths, descending=True, stable=True)
        state, memories = (np.zeros((DIRECTIONS, batch, cells), np.float32) for _ in range(2))
        out = torch.zeros(steps, batch, DIRECTIONS, cells)
        high = torch.empty(state.shape, dtype=torch.int8)
        wide = activation_bits == FIXED_POINT_BITS
        low = torch.empty_like(high) if wide else high
        held, active = np.zeros(state.shape, np.int32), np.zeros((steps, DIRECTIONS, batch), np.int32)
        threshold = self._delta.thresholds.get(site, -1) if self._delta else -1
        encoding = tuple(map(np.float32, (1.0 / grid.step, grid.lowest, grid.highest)))
        utterances = order.numpy(), lengths.numpy()
        own = sums.round(bias).numpy(), state, memories, out.numpy(), np.float32(sums.step), np.float32(memory.step)
        inputs, codes = u.view(steps, batch, DIRECTIONS, *by_gate).numpy(), (high.numpy(), low.numpy())
        step = _STEPS[cell.name]
        for t, n in enumerate((lengths[:, None] > torch.arange(steps)).sum(0).tolist()):
            if not n:
                break
            kernels.transmit(state, n, t, *encoding, threshold, held, *codes, wide, active)
            products = [
                half.multiply(Operand(high[d, :n], low[d, :n] if wide else None)).view(n, *by_gate)
                for d, half in enumerate(halves)
            ]
            if products[0].dtype is not products[1].dtype:  # only one of them could exceed what float32 holds
                products = [sums_of.float() for sums_of in products]
            forward, backward = (sums_of.numpy() for sums_of in products)
            step(forward, backward, scale, inputs, t, *utterances, *own)
        if self._delta and site in self._delta.thresholds:
            self._delta.record(site, active[:, :, torch.argsort(order).numpy()], cells)
        return out

    def _codes(self, site: str, x: torch.Tensor) -> tuple[Operand, Grid]:
        """What a product reads, and its grid."""
        grid = self._grid(site)
        if self._delta and site in self._delta.thresholds:
            return self._delta.held(site, x, grid), grid
        return encode(x, grid), grid

    def _grid(self, site: str) -> Grid:
        return self._calibration.grid(site, self._bits[site][1], self._weights.scheme.activations)
