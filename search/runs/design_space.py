"""The design points of a run: what a method may know of them (`search.methods.Space`), and what becomes of those that
it asks for."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quant.evaluation.work_estimate import Part
from quant.sites.candidate import Bits, name_of
from search.evaluation.model import SharesParts
from search.evaluation.progress import OnQuality
from search.evaluation.quality import Cost, Quality, figures_of
from search.methods.method import Trial
from search.objectives import Floats, Objective, PointFigures
from search.objectives.objective import NOT_EVALUATED, minimised_values
from search.runs.point_costs import Point, PointCosts
from search.settings.experiment import Experiment
from search.space.genome import Genes
from search.space.sites import SearchSite, search_sites
from simulators.inputs.errors import InputError

CANNOT_RUN = 1.0
"""Violation of a design point whose hardware cannot run its candidate."""
UNKNOWN = 1e6
"""Violation of a candidate whose evaluation killed workers, or gave no number: it ranks behind all others."""


class DesignSpace:
    """Candidates on one piece of hardware, or on several variants.

    A candidate over the memory limit or the budget is screened out before its error is evaluated, which is what takes
    the time. Errors are found once, whatever the hardware, by the first variant's evaluator.
    """

    def __init__(
        self,
        experiment: Experiment,
        points: PointCosts,
        error_limit: float | None,
        initial: Genes,
        done: OnQuality | None = None,
    ):
        """`initial` are gene vectors (N, genes) to begin with; `done` is told of each candidate as its quality becomes
        known."""
        self.objectives: tuple[Objective, ...] = experiment.resolved_objectives
        self.memory_limit_mib = points.memory_limit_mib
        self.error_limit = error_limit
        self.initial = initial
        self.points = points
        self.genome = points.genome
        self.evaluator = next(iter(points.evaluators.values()))
        self.needs_error = experiment.needs_error
        """Whether errors are evaluated at all."""
        self.done = done
        """Told of each candidate as its quality becomes known."""

    @property
    def upper(self) -> Genes:
        """See `Space.upper`."""
        return self.genome.upper

    @property
    def hardware_genes(self) -> int:
        """See `Space.hardware_genes`."""
        return self.genome.hardware_genes

    @property
    def precisions(self) -> tuple[tuple[int, int], ...]:
        """See `Space.precisions`."""
        return self.genome.bits.precisions

    @cached_property
    def sites(self) -> tuple[SearchSite, ...]:
        """See `Space.sites`."""
        evaluator, genome = self.evaluator, self.genome.bits
        return search_sites(genome.sites, genome.precisions, lambda bits: evaluator.model.trace(bits, evaluator.steps))

    def decode(self, genes: Genes) -> Bits:
        """See `Space.decode`."""
        return self.genome.decode(genes)[1]

    def encode(self, bits: Bits) -> Genes:
        """See `Space.encode`."""
        return self.genome.bits.encode(bits)

    def name_of(self, genes: Genes) -> str:
        """See `Space.name_of`."""
        return self.points.name_of(genes)

    def within(self, genes: Genes) -> NDArray[np.bool_]:
        """See `Space.within`."""
        return self.points.within(genes)

    def preview(self, genes: Genes, errors: Floats) -> tuple[Floats, Floats]:
        """See `Space.preview`."""
        points = [self.genome.decode(row) for row in genes]
        costs = self.points.costs(points, keep=False)
        qualities = [Quality(float(error), float(error)) for error in errors]
        failed = [CANNOT_RUN if cost is None else 0.0 for cost in costs]
        return self._values(self._figures(points, qualities, costs), failed)

    def parts(self, genes: Genes) -> Sequence[Part]:
        """See `Space.parts`."""
        bits, model = self.decode(genes), self.evaluator.model
        return model.parts(bits) if isinstance(model, SharesParts) else [Part(tuple(bits.values()), 1.0, kept=False)]

    def not_evaluated(self, genes: Genes) -> list[Bits | None]:
        """The candidate of each gene vector (N, genes) whose error must be evaluated before it is known what becomes of
        that; None where nothing need be."""
        if not self.needs_error:
            return [None] * len(genes)
        points = [self.genome.decode(row) for row in genes]
        costs = self.points.costs(points, keep=True)
        return [
            None if cost is None or self.points.over_limits(cost) or self.evaluator.is_known(name_of(bits)) else bits
            for (_, bits), cost in zip(points, costs, strict=True)
        ]

    def evaluate(self, genes: Genes) -> list[Trial]:
        """What becomes of gene vectors (N, genes): simulated, and those within these limits evaluated."""
        points = [self.genome.decode(row) for row in genes]
        costs = self.points.costs(points, keep=True)
        fits = [cost is not None and not self.points.over_limits(cost) for cost in costs]
        wanted = [bits for (_, bits), fit in zip(points, fits, strict=True) if fit]
        if self.needs_error:
            self.evaluator.qualities(wanted, self.done)
            costs = self.points.costs(points, keep=True)  # what is sent depends on the parameters of the error
        known = [self.evaluator.known_quality(bits) for _, bits in points]
        qualities = [quality if fit else None for quality, fit in zip(known, fits, strict=True)]
        failed = [self._failure(bits, cost) for (_, bits), cost in zip(points, costs, strict=True)]
        objectives, violations = self._values(self._figures(points, qualities, costs), failed)
        return [
            Trial(
                name=self.points.name(variant, bits), genes=row, bits=bits, variant=variant.number, objectives=values,
                violations=exceeded, error=None if quality is None else quality.error,
            )
            for (variant, bits), row, values, exceeded, quality in zip(
                points, genes, objectives, violations, known, strict=True
            )
        ]  # fmt: skip

    def _figures(
        self, points: Sequence[Point], qualities: Sequence[Quality | None], costs: Sequence[Cost | None]
    ) -> PointFigures:
        return figures_of(qualities, costs, [variant.area_mm2 for variant, _ in points])

    def _values(self, figures: PointFigures, failed: Sequence[float]) -> tuple[Floats, Floats]:
        """Objectives (N, objectives) and violations (N, limits), as a trial has them; `failed` are violations (N,) of
        points that could not be run or evaluated. Raises InputError for an objective that a feasible point has no
        number for."""
        budget = self.points.budget
        excess = np.zeros((len(figures), 3 + len(budget.limits)))
        if self.memory_limit_mib is not None:
            excess[:, 0] = np.nan_to_num(figures.memory_mib - self.memory_limit_mib)
        if self.error_limit is not None:
            excess[:, 1] = np.nan_to_num(figures.error - self.error_limit)
        excess[:, 2] = failed
        excess[:, 3:] = np.nan_to_num(budget.excess(figures))
        violations = np.maximum(excess, 0.0)
        values = minimised_values(self.objectives, figures)
        unknown = ~np.isfinite(values)
        wrong = unknown & ~violations.any(axis=1, keepdims=True)
        if wrong.any():
            row, column = (int(i) for i in np.argwhere(wrong)[0])
            name = self.objectives[column].name
            raise InputError(f"objective {name}: {values[row, column]} for a candidate within all limits: not a number")
        return np.where(unknown, NOT_EVALUATED, values), violations

    def _failure(self, bits: Bits, cost: Cost | None) -> float:
        """The violation of a candidate that could not be run or evaluated; 0 for others."""
        if cost is None:
            return CANNOT_RUN
        return UNKNOWN if self.evaluator.why_unknown(bits) or not cost.is_known else 0.0
