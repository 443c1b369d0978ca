"""The points of a co-design as arrays."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from search.codesign.design_points import SentFigures
from search.evaluation.quality import Cost
from search.objectives import Floats
from simulators.engine.program import Ints


class PointArrays(NamedTuple):
    """P points that variants can run, sorted by variant, named as in `CoDesign`."""

    variant: Ints
    """(P,)"""
    candidate: Ints
    """(P,)"""
    cycles: Ints
    """(P,)"""
    energy_uj: Floats
    """(P,)"""
    left_out: Mapping[int, Mapping[str, int]]
    """For each variant, how many candidates it could not take, by reason."""
    sent: SentFigures | None = None
    """None where costs are of one utterance."""

    @classmethod
    def of(
        cls, points: Iterable[tuple[int, int, Cost]], left_out: Mapping[int, Mapping[str, int]]
    ) -> "PointArrays":  # fmt: skip
        """Points of (variant, candidate, cost), in any order."""
        ordered = sorted(points, key=lambda point: point[:2])
        costs = [cost for _, _, cost in ordered]
        return cls(
            variant=np.array([variant for variant, _, _ in ordered], np.int64),
            candidate=np.array([candidate for _, candidate, _ in ordered], np.int64),
            cycles=np.array([cost.cycles for cost in costs], np.int64),
            energy_uj=np.array([cost.energy_uj for cost in costs], np.float64),
            left_out=left_out,
            sent=SentFigures.of(costs),
        )
