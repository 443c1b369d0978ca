"""What each task of a period depends on, resolved from the names of its steps to distances in tasks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from threading import Lock

import numpy as np

from simulators.engine.program import Ints
from simulators.lowering.segments import EVERYTHING_BEFORE, Repetition


class PeriodArrays:
    """One period's steps as arrays."""

    def __init__(self, repetitions: Iterable[Repetition]):
        self.repetitions = list(repetitions)
        steps = [step for _, steps in self.repetitions for step in steps]
        begins = np.cumsum([0, *(len(steps) for _, steps in self.repetitions)]).tolist()
        each = zip(self.repetitions, pairwise(begins), strict=True)
        self.index: Ints = np.concatenate([np.tile(np.arange(a, b), count) for (count, _), (a, b) in each])
        self.steps = steps
        self.queue = np.array([step.queue for step in steps], np.int64)[self.index]
        by_step = np.argsort(self.index, kind="stable")
        ends = np.cumsum(np.bincount(self.index, minlength=len(steps))).tolist()
        self.of_step = [by_step[begin:end] for begin, end in pairwise([0, *ends])]
        """The positions in a period of each step, rising."""
        self.roles = list(dict.fromkeys(role for step in steps for role in step.roles))


class Dependencies:
    """A period's dependencies, D of them, resolved within its own periods."""

    def __init__(self, period: PeriodArrays):
        self.period = period
        steps, index = period.steps, period.index
        number = {role: r for r, role in enumerate(period.roles)}
        steps_of: dict[str, list[int]] = {role: [] for role in period.roles}
        for s, step in enumerate(steps):
            for role in dict.fromkeys(step.roles):
                steps_of[role].append(s)
        self.places = [_positions(period.of_step, of_role) for of_role in steps_of.values()]
        """The positions in a period of each role's steps."""
        self.of_role = dict(zip(period.roles, self.places, strict=True))
        labels = [label for step in steps for label in step.after]
        counts = np.array([len(step.after) for step in steps])
        first = np.concatenate([[0], np.cumsum(counts)])
        per_task = counts[index]
        self.task: Ints = np.repeat(np.arange(len(index)), per_task)
        """(D,) position of the task that depends."""
        before = np.concatenate([[0], np.cumsum(per_task)])[:-1]
        which = np.arange(len(self.task)) - before[self.task] + first[index][self.task]
        self.role: Ints = np.array([number.get(role, -1) for role, _ in labels], np.int64)[which]
        """(D,) -1: a role of something earlier."""
        self.barrier = np.array([label == EVERYTHING_BEFORE for label in labels], bool)[which]
        self.absent = {d: labels[which[d]][0] for d in np.flatnonzero((self.role < 0) & ~self.barrier).tolist()}
        back = np.array([b for _, b in labels], np.int64)[which]
        self.per_period = np.zeros(len(which), np.int64)
        """(D,) how many steps of the role a period has."""
        self.occurrence = -back
        """(D,) which step of the role is meant in the first period, counted from 0; those before have negative
        numbers."""
        self.offset = np.zeros(len(which), np.int64)
        """(D,) tasks back, where the role is of the same periods."""
        self.history = 0
        """Periods at the beginning that lack some dependency."""
        by_role = np.argsort(self.role, kind="stable")
        bounds = np.searchsorted(self.role[by_role], np.arange(len(self.places) + 1))
        for r in np.flatnonzero(np.diff(bounds)).tolist():
            of, places = by_role[bounds[r] : bounds[r + 1]], self.places[r]
            n = len(places)
            t = np.searchsorted(places, self.task[of]) - back[of]
            self.per_period[of], self.occurrence[of] = n, t
            self.offset[of] = self.task[of] - (t // n * len(index) + places[t % n])
            self.history = max(self.history, int(-(t.min() // n)))


def _positions(of_step: Sequence[Ints], steps: Sequence[int]) -> Ints:
    """The positions in a period of some of its steps, rising."""
    return of_step[steps[0]] if len(steps) == 1 else np.sort(np.concatenate([of_step[s] for s in steps]))


KEPT_PERIODS = 256
"""How many periods' dependencies are kept, of some ten KiB for each hundred steps: layers on a mesh that differ in how
often a period repeats, or in one of several parts, share the others."""
_kept: OrderedDict[tuple[object, ...], Dependencies] = OrderedDict()
_lock = Lock()


def dependencies_of(names: tuple[object, ...], repetitions: Sequence[Repetition]) -> Dependencies:
    """A period's dependencies within its own periods, from the cache where they are there: the names of its steps
    decide them."""
    with _lock:
        needs = _kept.get(names)
        if needs is not None:
            _kept.move_to_end(names)
            return needs
    needs = Dependencies(PeriodArrays(repetitions))
    with _lock:
        _kept[names] = needs
        if len(_kept) > KEPT_PERIODS:
            _kept.popitem(last=False)
    return needs
