"""How a search's front grew: the hypervolume that its feasible candidates dominate, evaluation by evaluation.

Objectives are minimised and normalised: 0 is the best and 1 the worst value among the feasible candidates of all runs
that are compared. The reference point lies at REFERENCE in each objective; a volume is given as a share of the box
between it and the ideal point, so that 1 cannot be exceeded and only one perfect candidate would reach it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymoo.indicators.hv import HV

from search.objectives import Floats

REFERENCE = 1.1


@dataclass(frozen=True)
class Bounds:
    """Best and worst value of each objective, minimised; equal ones are moved apart by 1."""

    best: Floats
    """(objectives,)"""
    worst: Floats
    """(objectives,)"""

    @classmethod
    def around(cls, points: Floats) -> "Bounds":
        """The bounds of points (N, objectives), at least one."""
        best, worst = points.min(axis=0), points.max(axis=0)
        return cls(best, np.where(worst > best, worst, best + 1.0))

    def normalised(self, points: Floats) -> Floats:
        """Points (N, objectives) as shares of the way from the best to the worst value."""
        scaled: Floats = (points - self.best) / (self.worst - self.best)
        return scaled

    @property
    def reference(self) -> Floats:
        """(objectives,) The reference point in the objectives' own units."""
        point: Floats = self.best + REFERENCE * (self.worst - self.best)
        return point


@dataclass(frozen=True)
class Growth:
    """A run's hypervolume: a share of the box between the ideal and the reference point, by evaluations."""

    evaluations: list[int]
    """Numbers of evaluations; empty where points have no order of evaluation: then there is one share, of all."""
    shares: list[float]
    """The share after each of these."""


def share(points: Floats, bounds: Bounds) -> float:
    """The share of the box that points (N, objectives), minimised, dominate."""
    if not len(points):
        return 0.0
    indicator = HV(ref_point=np.full(points.shape[1], REFERENCE))
    volume = float(indicator(bounds.normalised(points)))
    return volume / float(REFERENCE ** points.shape[1])


def growth(points: Floats, counted: Sequence[bool], bounds: Bounds) -> tuple[list[int], list[float]]:
    """Number of evaluations and share of volume, at the first evaluation, at each that adds volume, and at the last.

    `points` (N, objectives) are minimised, in order of evaluation; those that are not `counted`, because they are
    infeasible, add nothing.
    """
    scaled = bounds.normalised(points)
    indicator = HV(ref_point=np.full(points.shape[1], REFERENCE))
    archive = np.empty((0, points.shape[1]))
    evaluations, volumes, volume = [0], [0.0], 0.0
    for i, (point, counts) in enumerate(zip(scaled, counted, strict=True)):
        if not counts or (archive <= point).all(axis=1).any():
            continue
        archive = np.vstack([archive[~(archive >= point).all(axis=1)], point])
        volume = float(indicator(archive)) / REFERENCE ** points.shape[1]
        evaluations.append(i + 1)
        volumes.append(volume)
    if evaluations[-1] != len(points):
        evaluations.append(len(points))
        volumes.append(volume)
    return evaluations, volumes
