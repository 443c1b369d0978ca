"""The 16-bit formats of a recurrent layer, by the error that they make in the states that its steps leave.

All values that a step holds fit the widest format that is tried; narrower ones clip, and are taken where that errs
less."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from quant.arithmetic.float_arithmetic import Rounding
from quant.arithmetic.grid import CLIPPED_OCTAVES, Grid, finer, finest_fixed_point, fixed_point_grid
from quant.networks.cell_layer import SeenRecurrence
from quant.networks.step import StepRoundings, Tensors
from simulators.inputs.errors import InputError

MOST_STEPS = 512
"""Steps that formats are chosen by; of more, as many at even distances, and those with the largest values."""


class RecurrenceFormats(NamedTuple):
    """Formats of one direction of a layer."""

    inputs: Grid
    """Grid of what the input product reads."""
    results: Grid
    """Fixed point of what the input product leaves."""
    sums: Grid
    """Fixed point of what the recurrent product leaves, and of sums of both."""
    memory: Grid
    """Fixed point of what is kept from step to step."""


@dataclass(frozen=True)
class _Steps:
    """Steps of a recurrence, as if they were one of a large batch N."""

    seen: SeenRecurrence
    x: torch.Tensor
    """(N, K)."""
    u: torch.Tensor
    """(1, N, G·C)."""
    a: torch.Tensor
    """(1, N, G·C)."""
    before: Tensors
    """(1, N, C) each."""
    _changed: dict[Grid, torch.Tensor] = field(default_factory=dict)
    """What the input product changes by on each grid of its input that was tried: a large product, and few grids."""

    def changed(self, inputs: Grid) -> torch.Tensor:
        """What the input product changes by where it reads x on a grid, (N, G·C)."""
        if inputs not in self._changed:
            self._changed[inputs] = (inputs.round(self.x) - self.x) @ self.seen.weight.T
        return self._changed[inputs]

    def after(self, formats: RecurrenceFormats | None) -> Tensors:
        """The states that the steps leave; without formats, exactly."""
        step, bias = self.seen.step, self.seen.bias
        if formats is None:
            return step(self.u, self.a, bias, self.before, StepRoundings())
        inputs, results, sums, memory = formats
        held = StepRoundings(fixed_point_grid(1.0).round, memory.round, sums.round)
        return step(results.round(self.u + self.changed(inputs)), sums.round(self.a), bias, self.before, held)


def recurrence_formats(sites: tuple[str, str], seen: Sequence[SeenRecurrence], inputs: Grid) -> RecurrenceFormats:
    """The formats of least error, from those that hold all values on, one after the other; `inputs` is the 16-bit grid
    of what the input product reads, which may be clipped likewise. Raises InputError that names a site where a value is
    not finite."""
    x, u, a = (torch.cat([getattr(each, name).flatten(0, 1) for each in seen]) for name in ("x", "u", "a"))
    parts = zip(*(each.before for each in seen), strict=True)
    before = tuple(torch.cat([part.flatten(0, 1) for part in of_each]) for of_each in parts)
    for name, values in zip((sites[0], sites[1], sites[1]), (u, a, torch.cat(before, 1)), strict=True):
        if not bool(torch.isfinite(values).all()):
            raise InputError(f"{name}: values that are not finite pass: they cannot be quantized")
    rows = _telling_rows(x, u, a, before[-1])
    steps = _Steps(seen[0], x[rows], u[rows][None], a[rows][None], tuple(part[rows][None] for part in before))
    exact = steps.after(None)
    scales = [float(part.square().mean()) or 1.0 for part in exact]

    def error(formats: RecurrenceFormats) -> float:
        pairs = zip(steps.after(formats), exact, scales, strict=True)
        return sum(float((found - wanted).square().mean()) / scale for found, wanted, scale in pairs)

    sums, memory = _largest_held(_Steps(seen[0], x, u[None], a[None], tuple(part[None] for part in before)))
    largest = (float(u.abs().max()), max(sums, float(a.abs().max())), max(memory, float(before[-1].abs().max())))
    best = RecurrenceFormats(inputs, *(finest_fixed_point(each) for each in largest))
    for name in ("results", "sums", "memory", "inputs", "results"):
        wide = getattr(best, name)
        best = min((best._replace(**{name: finer(wide, n)}) for n in range(CLIPPED_OCTAVES + 1)), key=error)
    return best


def _largest_held(steps: _Steps) -> tuple[float, float]:
    """The largest magnitudes that steps hold as sums and as memory, terms on the way to these included: what a cell
    adds up before a gate is its own affair (a GRU adds the recurrent bias before it multiplies), so the step itself
    says."""
    largest = {"sum": 0.0, "memory": 0.0}

    def seen_as(what: str) -> Rounding:
        def held(values: torch.Tensor) -> torch.Tensor:
            largest[what] = max(largest[what], float(values.abs().max()))
            return values

        return held

    states = steps.seen.step(
        steps.u, steps.a, steps.seen.bias, steps.before, StepRoundings(memory=seen_as("memory"), sum=seen_as("sum"))
    )
    return largest["sum"], max(largest["memory"], float(states[-1].abs().max()))


def _telling_rows(*values: torch.Tensor) -> torch.Tensor:
    """Numbers of the steps to look at: an even choice of N, and those with the largest of some values (N, …)."""
    steps = torch.arange(0, len(values[0]), -(-len(values[0]) // MOST_STEPS))
    largest = [each.abs().amax(1).topk(min(16, len(each))).indices for each in values]
    rows: torch.Tensor = torch.cat((steps, *largest)).unique()
    return rows
