"""Which of many predicted candidates are worth their evaluation: those that promise to add most hypervolume."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pymoo.indicators.hv import Hypervolume

from quant.evaluation.work_estimate import Part, Shared
from search.objectives import Floats, Objective
from search.objectives.dominance import non_dominated
from search.space.genome import Genes

REFERENCE = 1.1
"""The reference point of hypervolumes in each objective, where 0 is the best and 1 the worst value."""

NEARLY = 0.95
"""Share of the most hypervolume from which on the work of an evaluation decides."""


@dataclass(frozen=True)
class Promise:
    """A candidate that was not evaluated, with what is predicted of it."""

    genes: Genes
    """(genes,)"""
    objectives: Floats
    """(objectives,) all minimised."""
    feasible: bool


def most_promising(
    promises: Sequence[Promise], front: Floats, wanted: int, parts: Callable[[Genes], Sequence[Part]], shared: Shared
) -> list[Genes]:
    """So many gene vectors at most, one by one that which promises to add most hypervolume to a front (M, objectives)
    and to those chosen before it, or nearly most for the least work of its parts that is not shared."""
    feasible = [promise for promise in promises if promise.feasible]
    if not feasible:
        return []
    values = np.array([promise.objectives for promise in feasible])
    every = np.concatenate([front, values])
    low, high = every.min(0), every.max(0)
    span = np.where(high > low, high - low, 1.0)
    scaled, front = (values - low) / span, (front - low) / span
    parts_of = [parts(promise.genes) for promise in feasible]
    left = list(range(len(feasible)))
    gains = np.full(len(feasible), np.inf)  # at most: what a candidate adds falls as others are chosen
    chosen: list[int] = []
    while len(chosen) < wanted:
        left = [i for i in left if not (front <= scaled[i]).all(1).any()]  # a dominated one adds nothing
        if not left:
            break
        front = front[non_dominated(front)]
        work = np.array([shared.left(parts_of[i]) for i in left])
        at, gains[left] = _most_worth(scaled[left], front, work, gains[left])
        best = left[at]
        chosen.append(best)
        shared.add_all(parts_of[best])
        front = np.vstack([front, scaled[best]])
    return [feasible[i].genes for i in chosen]


def in_ratios(values: Floats, objectives: Sequence[Objective]) -> Floats:
    """Values (N, objectives) with logarithms of costs, all of them positive: half the latency is as much at any
    latency, while a point of error is a point."""
    costs = [i for i, of in enumerate(objectives) if not of.needs_error and (values[:, i] > 0).all()]
    result = values.copy()
    result[:, costs] = np.log(values[:, costs])
    return result


def _most_worth(points: Floats, front: Floats, work: Floats, bounds: Floats) -> tuple[int, Floats]:
    """The position of one of some points (N, objectives): of those that add nearly as much hypervolume to a front (M,
    objectives) as any, the first that takes least work (N,); and what each adds at most (N,). It adds no more than the
    bounds (N,), so that not all need be computed: what a point adds falls as others are chosen (a submodular gain;
    Minoux 1978, lazy greedy)."""
    volume = Hypervolume(ref_point=np.full(points.shape[1], REFERENCE))
    before, gains = volume.do(front), bounds.copy()
    most, known = 0.0, list[int]()
    for i in np.argsort(-bounds, kind="stable").tolist():
        if bounds[i] < NEARLY * most:
            break
        gains[i] = max(0.0, volume.do(np.vstack([front, points[i]])) - before)  # sums of others may round to less
        most = max(most, gains[i])
        known.append(i)
    near = [i for i in known if gains[i] >= NEARLY * most]
    return min(near, key=lambda i: (work[i], -gains[i], i)), gains
