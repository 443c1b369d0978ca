"""The loop of a search: what a method asks for is evaluated and told, generation by generation."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from search.methods.method import Method, MethodSettings, Trial
from search.objectives.dominance import non_dominated
from search.runs.design_space import DesignSpace
from search.space.genome import Genes
from simulators.inputs.errors import InputError


class Recorder(Protocol):
    """Where a search notes how far it came; `search.runs.run_folder.RunFolder` is one."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        ...

    def check(self, number: int, genes: Genes) -> None:
        """Raise InputError for a generation (N, genes) that is another than the one of this number that was saved."""
        ...

    def save(self, number: int, genes: Genes) -> None:
        """Note that a generation (N, genes) is complete."""
        ...


MOST_BARREN = 100
"""Generations in a row that may hold nothing new within the known limits, before a method is taken to be done."""

OnGeneration = Callable[[int, int, int], None]
"""Told the number of a generation, how many design points were asked for up to now, and how many of those are on the
front."""


def search_space(
    method: Method, space: DesignSpace, settings: MethodSettings, recorder: Recorder, done: OnGeneration | None = None
) -> list[Trial]:
    """Every design point that a method asked for, each once, in the order of their first appearance; until there are as
    many as the first population and all generations have, or the method finds nothing more to ask for. What is asked
    for again, or over a limit that is known without an evaluation, is not charged.

    Raises InputError where a resumed run comes out otherwise than before, and for genes that there are not.
    """
    method.begin(space, settings)
    trials: dict[str, Trial] = {}
    spent = barren = number = 0
    while spent < settings.population + settings.offspring * settings.generations and barren < MOST_BARREN:
        asked = method.ask()
        genes = None if asked is None else _checked(method, asked, space.upper)
        if genes is None or not len(genes):
            if not number:
                raise InputError(f"method {type(method).__name__}: it asks for nothing")
            break
        recorder.check(number, genes)
        generation = space.evaluate(genes)
        method.tell(generation)
        recorder.save(number, genes)
        within = space.within(genes)
        charged = {trial.name for trial, keeps in zip(generation, within, strict=True) if keeps} - trials.keys()
        spent += len(charged)
        barren = 0 if charged else barren + 1
        for trial in generation:
            trials.setdefault(trial.name, trial)
        if done:
            complete = max(0, spent - settings.population) // settings.offspring
            done(complete, len(trials), len(front_of(list(trials.values()))))
        number += 1
    return list(trials.values())


def front_of(trials: list[Trial]) -> list[Trial]:
    """The feasible trials that no other feasible one dominates, in their order; of equal ones all."""
    feasible = [trial for trial in trials if trial.feasible]
    if not feasible:
        return []
    return [feasible[i] for i in non_dominated(np.array([trial.objectives for trial in feasible])).tolist()]


def _checked(method: Method, asked: object, upper: Genes) -> Genes:
    """What a method asked for, as whole numbers (N, genes) within their bounds."""
    genes = np.array(asked)  # a copy: the method may go on with its own
    if genes.size == 0:
        return np.zeros((0, len(upper)), np.int64)
    fits = genes.ndim == 2 and genes.shape[1] == len(upper) and genes.dtype.kind in "iu"
    if not fits or (genes < 0).any() or (genes > upper).any():
        raise InputError(
            f"method {type(method).__name__}: it asked for {genes.dtype} of shape {genes.shape}: it must ask for whole "
            f"numbers, {len(upper)} a candidate, from 0 to the largest value of each gene"
        )
    return genes.astype(np.int64, copy=False)
