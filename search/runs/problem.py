"""The search as pymoo sees it: a vectorised problem over whole-number genes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pymoo.core.problem import Problem

from quant.evaluation.work_estimate import Part
from quant.sites.candidate import name_of
from search.evaluation.evaluator import Cost, Evaluator, Quality, objective_values
from search.evaluation.model import SharesParts
from search.settings.experiment import Experiment
from search.space.genome import Bits, Genome
from simulators.closed_forms.mohaq import CLOSED_FORM_PLATFORMS

SET_ASIDE = 1e6
"""Violation of a candidate whose evaluation killed workers: it ranks behind all others."""
NOT_EVALUATED = 1e6
"""Error objective of a candidate that breaks the memory limit, so that it was not evaluated, or that was set aside. It
is never compared: pymoo ranks infeasible candidates by their constraint violation alone."""

PLATFORMS_OF = {"mohaq_speedup": CLOSED_FORM_PLATFORMS, "mohaq_energy": ("silago",)}
"""Platforms of which MOHAQ has a closed form of an objective."""


class BitWidthProblem(Problem):
    """Minimises the experiment's objectives; constraint values above 0 violate.

    A candidate over the memory limit is screened out before its error is evaluated, which is what takes the time.
    """

    def __init__(self, experiment: Experiment, genome: Genome, evaluator: Evaluator, error_limit: float | None,
                 done: Callable[[Bits, Quality | None], None] | None = None):  # fmt: skip
        self.experiment = experiment
        self.genome = genome
        self.evaluator = evaluator
        self.error_limit = error_limit
        self._done = done
        limits = [experiment.constraints.memory_mib, error_limit, 0.0]  # the last: no workers killed
        super().__init__(
            n_var=len(genome.upper), n_obj=len(experiment.objectives), n_ieq_constr=sum(x is not None for x in limits),
            xl=0, xu=genome.upper, vtype=int,
        )  # fmt: skip

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
        candidates = [self.genome.decode(row) for row in x]
        costs = self.evaluator.costs(candidates)
        memory_limit = self.experiment.constraints.memory_mib
        screened = [memory_limit is not None and cost.memory_mib > memory_limit for cost in costs]
        feasible = [bits for bits, out_of_memory in zip(candidates, screened, strict=True) if not out_of_memory]
        needed = "error" in self.experiment.objectives or self.error_limit is not None
        known = iter(self.evaluator.qualities(feasible, self._done) if needed else [None] * len(feasible))
        qualities = [None if out_of_memory else next(known) for out_of_memory in screened]

        set_aside = [self.evaluator.was_set_aside(bits) for bits in candidates]
        out["F"], out["G"] = self._figures(qualities, costs, set_aside)

    def error_of(self, genes: np.ndarray) -> float | None:
        """Error in percent that was evaluated for a gene vector, or None."""
        quality = self.evaluator.known_quality(self.genome.decode(genes))
        return None if quality is None else quality.error

    def name_of(self, genes: np.ndarray) -> str:
        """Of the candidate of a gene vector; lifted activations give several the same."""
        return name_of(self.genome.decode(genes))

    def parts(self, genes: np.ndarray) -> Sequence[Part]:
        """Of the evaluation of a gene vector's error; a single one where the model does not say what it shares."""
        bits = self.genome.decode(genes)
        model = self.evaluator.model
        return model.parts(bits) if isinstance(model, SharesParts) else [Part(tuple(bits.values()), 1.0, kept=False)]

    def predicted(self, x: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Objectives (N, objectives) and constraints (N, limits) of gene vectors, if these were their errors in
        percent."""
        costs = self.evaluator.preview([self.genome.decode(row) for row in x])
        return self._figures([Quality(float(error), float(error)) for error in errors], costs, [False] * len(x))

    def _figures(
        self, qualities: Sequence[Quality | None], costs: Sequence[Cost], set_aside: Sequence[bool]
    ) -> tuple[np.ndarray, np.ndarray]:
        values = [objective_values(quality, cost) for quality, cost in zip(qualities, costs, strict=True)]
        objectives = [[self._minimised(name, value[name]) for name in self.experiment.objectives] for value in values]
        constraints = []
        memory_limit = self.experiment.constraints.memory_mib
        if memory_limit is not None:
            constraints.append([cost.memory_mib - memory_limit for cost in costs])
        if self.error_limit is not None:
            constraints.append([0.0 if quality is None else quality.error - self.error_limit for quality in qualities])
        constraints.append([SET_ASIDE if one else 0.0 for one in set_aside])
        return np.array(objectives), np.array(constraints).T

    @staticmethod
    def _minimised(objective: str, value: float | None) -> float:
        if value is None:
            return NOT_EVALUATED
        return -value if objective == "mohaq_speedup" else value
