"""Post-training quantization: ranges calibrated once, then any candidate evaluated with integer products.

A site's activations and weights are encoded to integers, multiplied, rescaled, and held as 16-bit fixed point; gates,
states and vectors are 16-bit fixed point throughout (MOHAQ, Rezk et al. 2022, section 4).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn import functional

from quant.batches import Batch
from quant.candidate import Bits
from quant.models.arithmetic import FloatArithmetic, in_time, side_by_side
from quant.models.cells import Cell, before
from quant.models.networks import Network
from quant.models.recurrence import GATE_STEP, sru_recurrence_fixed, sru_states
from quant.models.site import DIRECTIONS
from quant.quantizer import (
    FIXED_POINT_BITS,
    INTEGER_BITS,
    Grid,
    fixed_point_grid,
    minimum_error_grid,
    weight_grid,
)

EXACT_IN_FLOAT32 = 2.0**24
"""Integers below it, and so sums that cannot reach it, are exact in float32."""


@dataclass(frozen=True)
class Calibration:
    """Ranges seen on the calibration utterances: the grid of each site's input at each width, the fixed-point format
    of each site's result, and that of the state of each recurrence (named by the site that feeds it)."""

    activations: Mapping[str, Mapping[int, Grid]]
    results: Mapping[str, Grid]
    states: Mapping[str, Grid]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Calibration":
        return cls(
            activations={
                site: {int(bits): Grid(**grid) for bits, grid in grids.items()}
                for site, grids in content["activations"].items()
            },
            results={site: Grid(**grid) for site, grid in content["results"].items()},
            states={site: Grid(**grid) for site, grid in content["states"].items()},
        )


class _Observer(FloatArithmetic):
    """Computes in float and keeps what passes: inputs of the sites as they are, of results and states the largest
    magnitude."""

    def __init__(self, lengths: torch.Tensor):
        self.lengths = lengths
        self.inputs: dict[str, torch.Tensor] = {}
        self.results: dict[str, float] = {}
        self.states: dict[str, float] = {}

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        y = super().product(site, x, weight, bias)
        self.inputs[site] = self._true_frames(x)
        self.results[site] = float(self._true_frames(y).abs().max())
        return y

    def sru(self, site: str, u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        h, c = sru_states(u, vectors, lengths)
        self.states[site] = float(c.abs().max())
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
        u, w = side_by_side(u, lengths), weight.unflatten(0, (DIRECTIONS, -1))
        h, *kept = cell.forward(u, w, bias)
        true = (torch.arange(len(u))[:, None] < lengths)[:, None].expand(h.shape[:3])
        self.inputs[site] = before(h)[true]
        sums = torch.matmul(before(h), w.transpose(1, 2))
        cells = h.shape[-1]
        if cell.recurrent_biases:
            sums[..., -cells:] += bias[:, None]
        self.results[site] = max(float(x[true].abs().max()) for x in (u, sums, u + sums))
        self.states[site] = float(cell.memory(h, tuple(kept))[true].abs().max())
        return in_time(h, lengths)

    def _true_frames(self, x: torch.Tensor) -> torch.Tensor:
        return x[torch.arange(x.shape[0])[:, None] < self.lengths]


@torch.no_grad()
def calibrate(network: Network, batch: Batch) -> Calibration:
    """Ranges of everything that is not a weight, over the true frames of one batch of calibration utterances."""
    observer = _Observer(batch.lengths)
    network(batch.features, batch.lengths, observer)
    activations = {}
    for site, x in observer.inputs.items():
        grids = {bits: minimum_error_grid(x, bits) for bits in INTEGER_BITS}
        activations[site] = {**grids, FIXED_POINT_BITS: fixed_point_grid(float(x.abs().max()))}
    return Calibration(
        activations=activations,
        results={site: fixed_point_grid(largest) for site, largest in observer.results.items()},
        states={site: fixed_point_grid(largest) for site, largest in observer.states.items()},
    )


class QuantizedWeights:
    """Codes of a network's weight matrices, each quantized once per (site, bits) and kept."""

    def __init__(self, network: Network):
        self._network = network
        self._codes: dict[tuple[str, int], tuple[torch.Tensor, Grid]] = {}
        self._largest_rows: dict[tuple[str, int], float] = {}

    def __call__(self, site: str, bits: int) -> tuple[torch.Tensor, Grid]:
        """Integer-valued float32 codes (M, K), and their grid."""
        key = (site, bits)
        if key not in self._codes:
            weight = self._network.get_parameter(site).detach()
            grid = weight_grid(weight, bits)
            codes = grid.encode(weight)
            self._codes[key] = (codes, grid)
            self._largest_rows[key] = float(codes.abs().double().sum(1).max())
        return self._codes[key]

    def largest_sum(self, site: str, bits: int, activations: Grid) -> float:
        """The largest magnitude that a sum of products of a site can reach, whatever the input."""
        self(site, bits)
        return self._largest_rows[site, bits] * max(-activations.lowest, activations.highest)


class QuantizedArithmetic:
    """Inference as the hardware computes it, for one candidate.

    Products of operands of at most 8 bits are exact integers: in float32 where no sum can reach 2^24, in float64 where
    one could. With a 16-bit operand they carry float32 rounding, 2^-24 relative, far below the 16-bit fixed point that
    the result is rounded to.
    """

    def __init__(self, bits: Bits, weights: QuantizedWeights, calibration: Calibration):
        self._bits = bits
        self._weights = weights
        self._calibration = calibration

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        weight_bits, activation_bits = self._bits[site]
        w, w_grid = self._weights(site, weight_bits)
        a_grid = self._calibration.activations[site][activation_bits]
        small = max(weight_bits, activation_bits) <= max(INTEGER_BITS)
        if small and self._weights.largest_sum(site, weight_bits, a_grid) >= EXACT_IN_FLOAT32:
            y = functional.linear(a_grid.encode(x).double(), w.double()).float()
        else:
            with _matmul_precision("medium" if small else "highest"):
                y = functional.linear(a_grid.encode(x), w)
        y.mul_(a_grid.step * w_grid.step)
        if site in self._calibration.states:
            return y  # the recurrence rounds its input itself
        result = self._calibration.results[site]
        return result.round(y if bias is None else y.add_(result.round(bias)))

    def sru(self, site: str, u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        vectors = fixed_point_grid(float(vectors.abs().max())).round(vectors)
        return sru_recurrence_fixed(
            u, vectors, lengths, self._calibration.results[site].step, self._calibration.states[site].step
        )

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
        else is 16-bit fixed point."""
        weight_bits, activation_bits = self._bits[site]
        codes, w_grid = self._weights(site, weight_bits)
        wt = codes.unflatten(0, (DIRECTIONS, -1)).transpose(1, 2).contiguous()
        a_grid = self._calibration.activations[site][activation_bits]
        sums, memory = self._calibration.results[site], self._calibration.states[site]
        step = a_grid.step * w_grid.step
        bias = sums.round(bias)
        u = sums.round(side_by_side(u, lengths))
        state = (u.new_zeros(*u.shape[1:3], wt.shape[1]),) * cell.states
        h = u.new_empty(*u.shape[:3], wt.shape[1])
        small = max(weight_bits, activation_bits) <= max(INTEGER_BITS)
        exact = torch.float32
        if small and self._weights.largest_sum(site, weight_bits, a_grid) >= EXACT_IN_FLOAT32:
            exact, wt = torch.float64, wt.double()
        with _matmul_precision("medium" if small else "highest"):
            for t in range(len(u)):
                a = sums.round(torch.bmm(a_grid.encode(state[0]).to(exact), wt).float().mul_(step))
                state = cell.step(u[t], a, bias, state, GATES.round, memory.round, sums.round)
                h[t] = state[0]
        return in_time(h, lengths)


GATES = Grid(FIXED_POINT_BITS, GATE_STEP, -(2**15), 2**15 - 1)
"""Sigmoids and tangents, which lie in [-1, 1]."""


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    """ "medium" lets float32 products use bfloat16 operands, which hold integers of up to 9 bits exactly and sum in
    float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
