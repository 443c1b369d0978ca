"""The number formats of a module of one's own, by the error that they make on what was seen of it.

Ranges alone are bad guides to 16 bits: one sum of 714 before a sigmoid that is flat beyond 32 would cost all others
five fractional bits. So a result that nothing but sigmoid or tanh reads has the format of least error behind them, and
the formats of a recurrence are those of least error of the states that its next step leaves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from quant.arithmetic.calibration import Range
from quant.arithmetic.clipping import PERCENTILE
from quant.arithmetic.grid import (
    CLIPPED_OCTAVES,
    Grid,
    finer,
    finest_fixed_point,
    fixed_point_grid,
    integer_grid,
    least_error_fixed_point,
    minimum_error_grid,
    sixteen_bit_grid,
)
from quant.networks.cell_layer import SeenRecurrence
from quant.networks.step import StepRoundings
from quant.sites.candidate import FIXED_POINT_BITS, INTEGER_BITS
from simulators.inputs.errors import InputError

MOST_VALUES = 1 << 18
"""Values of a site that its formats are chosen by; of more, as many at even distances, and the largest."""
MOST_STEPS = 512
"""Steps of a recurrence that its formats are chosen by, likewise."""

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Formats:
    """Grids by the names of sites."""

    inputs: Mapping[str, Mapping[int, Grid]]
    """Grids of what the product of a site reads, by width."""
    results: Mapping[str, Grid]
    """16-bit fixed point of what the product of a site leaves, and of sums of it."""
    states: Mapping[str, Grid]
    """16-bit fixed point of what the recurrence of a site keeps from step to step."""


class Seen:
    """Keeps what passes, for formats to be chosen by. It computes exactly: `quant.own.roundings.Exactly` tells what
    each method is."""

    def __init__(self) -> None:
        self._inputs: dict[str, list[torch.Tensor]] = {}
        self._results: dict[str, list[torch.Tensor]] = {}
        self._states: dict[str, list[torch.Tensor]] = {}
        self._recurrences: dict[tuple[str, str], list[SeenRecurrence]] = {}
        self._largest: dict[str, list[float]] = {}
        self._ended: dict[str, int] = {}
        """How many of a site's inputs came of inputs that have ended."""

    @property
    def sites(self) -> set[str]:
        """Names of the sites that something passed through."""
        return set(self._inputs)

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x, which is kept."""
        return _kept(self._inputs, site, x)

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """The weights as they are."""
        return weight

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        """y, which is kept."""
        return _kept(self._results, site, y)

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x, which is kept."""
        return _kept(self._states, site, x)

    def gate(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x as it is: gates have a format of their own."""
        return x

    def recurrence(self, recurrence: SeenRecurrence) -> None:
        """Keep it."""
        self._recurrences.setdefault(recurrence.sites, []).append(recurrence)

    def steps(self, site: str) -> tuple[float, float] | None:
        """Nothing is rounded."""
        return None

    def next_input(self) -> None:
        """What follows comes of another of the inputs that are seen: `median` is the median of their largest
        magnitudes."""
        for site, values in self._inputs.items():
            new = [float(x.abs().max()) for x in values[self._ended.get(site, 0) :] if x.numel()]
            if new:
                self._largest.setdefault(site, []).append(max(new))
            self._ended[site] = len(values)

    def formats(self, rule: str, readers: Mapping[str, Function]) -> Formats:
        """The formats of every site; inputs of up to 8 bits are clipped by a rule of `quant.arithmetic.clipping`.
        `readers` has the one function that reads a site's results, where it is flat at both ends. Raises InputError for
        a site that saw what is not finite."""
        inputs = {
            site: _input_grids(site, values, self._largest.get(site, [0.0]), rule)
            for site, values in self._inputs.items()
        }
        results, states = {}, {}
        for sites, seen in self._recurrences.items():
            results[sites[0]], results[sites[1]], states[sites[1]] = _recurrence_grids(sites, seen)
        for site, values in self._results.items():
            if site not in results:
                results[site] = least_error_fixed_point(_sampled(site, values), readers.get(site))
        for site, values in self._states.items():
            if site not in states:
                states[site] = least_error_fixed_point(_sampled(site, values))
        return Formats(inputs, results, states)


def _kept(kept: dict[str, list[torch.Tensor]], site: str, x: torch.Tensor) -> torch.Tensor:
    kept.setdefault(site, []).append(x.detach().flatten())
    return x


def _sampled(site: str, values: list[torch.Tensor]) -> torch.Tensor:
    """All values of a site, or an even choice of them with the largest. Raises InputError that names it where one is
    not finite."""
    x = torch.cat(values)
    if not bool(torch.isfinite(x).all()):
        raise InputError(f"{site}: values that are not finite pass: they cannot be quantized")
    if len(x) <= MOST_VALUES:
        return x
    return torch.cat((x[:: -(-len(x) // MOST_VALUES)], x.abs().max()[None]))


def _input_grids(site: str, values: list[torch.Tensor], largest: list[float], rule: str) -> dict[int, Grid]:
    x = _sampled(site, values)
    grids = {bits: minimum_error_grid(x, bits) for bits in INTEGER_BITS}
    grids[FIXED_POINT_BITS] = sixteen_bit_grid(x, least_error_fixed_point(x))
    if rule != "mse" and len(x):
        magnitudes = x.abs().numpy()
        seen = Range(float(magnitudes.max()), float(np.percentile(magnitudes, PERCENTILE)), float(np.median(largest)))
        threshold = float(getattr(seen, rule))
        if threshold > 0:
            grids |= {bits: integer_grid(bits, threshold) for bits in INTEGER_BITS}
    return grids


def _recurrence_grids(sites: tuple[str, str], seen: list[SeenRecurrence]) -> tuple[Grid, Grid, Grid]:
    """The formats of the input product's results, of the recurrent one's and of sums of both, and of the memory, that
    together err least in the states that the cell's step leaves."""
    step, bias = seen[0].step, seen[0].bias
    u, a = (torch.cat([getattr(each, name).flatten(0, 1) for each in seen]) for name in ("u", "a"))
    parts = zip(*(each.before for each in seen), strict=True)
    before = tuple(torch.cat([part.flatten(0, 1) for part in of_each]) for of_each in parts)
    for name, values in zip((sites[0], sites[1], sites[1]), (u, a, torch.cat(before, 1)), strict=True):
        if not bool(torch.isfinite(values).all()):
            raise InputError(f"{name}: values that are not finite pass: they cannot be quantized")
    sums = torch.cat((a.flatten(), (u + a).flatten(), bias.flatten()))
    largest = [float(values.abs().max()) for values in (u, sums, before[-1])]
    rows = _telling_rows(u, a, before[-1])
    u, a, before = u[rows][None], a[rows][None], tuple(part[rows][None] for part in before)
    exact = step(u, a, bias, before, StepRoundings())
    largest[2] = max(largest[2], float(exact[-1].abs().max()))
    scales = [float(part.square().mean()) or 1.0 for part in exact]
    gate = fixed_point_grid(1.0).round

    def error(grids: list[Grid]) -> float:
        inputs, sums, memory = grids
        after = step(inputs.round(u), sums.round(a), bias, before, StepRoundings(gate, memory.round, sums.round))
        return sum(float((x - y).square().mean()) / scale for x, y, scale in zip(after, exact, scales, strict=True))

    grids = [finest_fixed_point(each) for each in largest]
    for number in (0, 1, 2, 0):
        tried = [[*grids[:number], finer(grids[number], n), *grids[number + 1 :]] for n in range(CLIPPED_OCTAVES + 1)]
        grids = min(tried, key=error)
    return grids[0], grids[1], grids[2]


def _telling_rows(u: torch.Tensor, a: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """Numbers of the steps to look at: an even choice of N, and those with the largest values."""
    steps = torch.arange(0, len(u), -(-len(u) // MOST_STEPS))
    largest = [values.abs().amax(1).topk(min(16, len(values))).indices for values in (u, a, memory)]
    rows: torch.Tensor = torch.cat((steps, *largest)).unique()
    return rows
