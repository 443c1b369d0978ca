"""What is known of candidates: their errors and their costs, one by one and as arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import isfinite, isnan
from typing import TypeVar

import numpy as np

from search.objectives import Floats, PointFigures

Row = TypeVar("Row")

BASELINE_BITS = 16
"""Width of the candidate that others are held against."""


@dataclass(frozen=True)
class Cost:
    """What is known of a candidate without speech: simulated for one utterance, and MOHAQ's closed forms."""

    cycles: int
    """Cycles of one utterance."""
    latency_ms: float
    """Latency of one utterance."""
    energy_uj: float
    """Energy of one utterance."""
    memory_mib: float
    """Memory of weights at their bits and vector parameters at 16."""
    mohaq_speedup: float | None
    """A ratio; None on platforms of which MOHAQ has no closed form."""
    mohaq_energy_uj: float | None
    """Energy of a frame by MOHAQ's closed form; None but on SiLago."""
    latency_worst_ms: float | None = None
    """The largest latency of an utterance, where cycles, latency and energy are means over those that were evaluated;
    None: they are of one utterance of so many frames."""
    energy_worst_uj: float | None = None
    """The largest energy of an utterance, likewise."""
    dram_energy_uj: float | None = None
    """What of the energy DRAM takes; None on platforms that have no figure of it."""

    @property
    def is_known(self) -> bool:
        """Whether its figures are numbers: what a candidate sends whose evaluation killed workers is not known."""
        return isfinite(self.energy_uj)


@dataclass(frozen=True)
class Quality:
    """Phone error rates of a candidate, in percent."""

    error: float
    """Percent, the largest over the subsets of speakers: the objective."""
    error_plain: float
    """Percent over all speakers."""
    beacon: str = ""
    """The candidate that the parameters were retrained for; empty for the original ones."""
    error_original: float | None = None
    """Percent with the original parameters, where it was reached with a beacon's."""
    edits: tuple[int, ...] = ()
    """Edits of each utterance, where the model counts them (`search.evaluation.model.CountsEdits`)."""
    share: float = 1.0
    """Share of the utterances that were evaluated; below 1 the errors are what the others are expected to make of them
    (`search.evaluation.racing`), and `edits` are none."""


class Unknown(Enum):
    """Why a candidate that was evaluated has no quality: it counts as infeasible."""

    KILLED = "the workers that evaluated it died"
    NO_NUMBER = "the model measured no number as its error"


def figures_of(
    qualities: Sequence[Quality | None], costs: Sequence[Cost | None], areas_mm2: Sequence[float | None]
) -> PointFigures:
    """All that is known of N design points, as arrays; None is a quality, a cost or an area that is not."""
    return PointFigures(
        error=_column(qualities, lambda quality: quality.error),
        error_plain=_column(qualities, lambda quality: quality.error_plain),
        cycles=_column(costs, lambda cost: cost.cycles),
        latency_ms=_column(costs, lambda cost: cost.latency_ms),
        energy_uj=_column(costs, lambda cost: cost.energy_uj),
        dram_energy_uj=_column(costs, lambda cost: cost.dram_energy_uj),
        memory_mib=_column(costs, lambda cost: cost.memory_mib),
        area_mm2=_column(areas_mm2, lambda area: area),
        mohaq_speedup=_column(costs, lambda cost: cost.mohaq_speedup),
        mohaq_energy_uj=_column(costs, lambda cost: cost.mohaq_energy_uj),
    )


def number_or_none(figure: float) -> float | None:
    """A figure as the ledger has it; None for NaN, which is one that is not known."""
    return None if isnan(figure) else figure


def _column(rows: Sequence[Row | None], figure: Callable[[Row], float | None]) -> Floats:
    """(N,) A figure of each row; NaN where there is none."""
    values = (None if row is None else figure(row) for row in rows)
    return np.array([np.nan if value is None else value for value in values], np.float64)
