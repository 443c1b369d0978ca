"""What each task of a period depends on, resolved from the names of its steps to distances in tasks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from simulators.engine.program import Ints
from simulators.lowering.bounded import bounded
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, Repetition

StepNames = tuple[tuple[str, ...], int, tuple[Label, ...]]
"""Roles, queue and what it waits for: all of a step but its service time, kind and traffic."""
PeriodNames = tuple[tuple[int, tuple[StepNames, ...]], ...]
"""How often steps follow each other within a period, and their names."""

MOST_TASKS = 1 << 18
"""Tasks of all periods that are kept, of some hundred bytes each: a segment has some more than once, and layers that
differ in how often a period repeats, or in one of several parts, share the others. Without them the first candidate of
a process, which has no templates yet, takes 1.2 times as long on SiLago."""


def names_of(repetitions: Sequence[Repetition]) -> PeriodNames:
    """The names of a period's steps."""
    return tuple([
        (count, tuple([(step.roles, step.queue, step.after) for step in steps])) for count, steps in repetitions
    ])  # fmt: skip


class Period:
    """A period of some steps: its T tasks, and D dependencies, resolved within periods that are alike."""

    def __init__(self, names: PeriodNames):
        self.steps = [step for _, steps in names for step in steps]
        begins = np.cumsum([0, *(len(steps) for _, steps in names)]).tolist()
        each = zip(names, pairwise(begins), strict=True)
        index = np.concatenate([np.tile(np.arange(a, b), count) for (count, _), (a, b) in each])
        self.index: Ints = index
        """(T,) which step each task is."""
        self.queue = np.array([queue for _, queue, _ in self.steps], np.int64)[index]
        """(T,) index of each task's queue."""
        self.of_role = self._of_role()
        """The positions in the period of each role's steps, rising."""
        self.roles = list(self.of_role)
        number = {role: r for r, role in enumerate(self.roles)}
        labels = [label for _, _, after in self.steps for label in after]
        counts = np.array([len(after) for _, _, after in self.steps])
        first = np.concatenate([[0], np.cumsum(counts)])
        per_task = counts[index]
        self.task: Ints = np.repeat(np.arange(len(index)), per_task)
        """(D,) position of the task that depends."""
        before = np.concatenate([[0], np.cumsum(per_task)])[:-1]
        which = np.arange(len(self.task)) - before[self.task] + first[index][self.task]
        self.role: Ints = np.array([number.get(role, -1) for role, _ in labels], np.int64)[which]
        """(D,) -1: a role of something earlier."""
        self.barrier = np.array([label == EVERYTHING_BEFORE for label in labels], bool)[which]
        """(D,) whether it is on all before the segment."""
        self.absent = {d: labels[which[d]][0] for d in np.flatnonzero((self.role < 0) & ~self.barrier).tolist()}
        """Dependency → its role, of something earlier."""
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
        bounds = np.searchsorted(self.role[by_role], np.arange(len(self.roles) + 1))
        for r in np.flatnonzero(np.diff(bounds)).tolist():
            of, places = by_role[bounds[r] : bounds[r + 1]], self.of_role[self.roles[r]]
            n = len(places)
            t = np.searchsorted(places, self.task[of]) - back[of]
            self.per_period[of], self.occurrence[of] = n, t
            self.offset[of] = self.task[of] - (t // n * len(index) + places[t % n])
            self.history = max(self.history, int(-(t.min() // n)))

    def _of_role(self) -> dict[str, Ints]:
        """The positions in the period of each role's steps, rising."""
        steps_of: dict[str, list[int]] = {}
        for s, (roles, _, _) in enumerate(self.steps):
            for role in dict.fromkeys(roles):
                steps_of.setdefault(role, []).append(s)
        by_step = np.argsort(self.index, kind="stable")
        ends = np.cumsum(np.bincount(self.index, minlength=len(self.steps))).tolist()
        of_step = [by_step[begin:end] for begin, end in pairwise([0, *ends])]
        return {
            role: of_step[of[0]] if len(of) == 1 else np.sort(np.concatenate([of_step[s] for s in of]))
            for role, of in steps_of.items()
        }


@bounded(lambda period: len(period.index), MOST_TASKS)
def period_of(names: PeriodNames) -> Period:
    """The period of steps with these names."""
    return Period(names)
