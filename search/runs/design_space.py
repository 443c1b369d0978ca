"""The design points of a run: what a method may know of them (`search.methods.Space`), and what becomes of those that
it asks for."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from quant.evaluation.work_estimate import Part
from quant.sites.candidate import Bits, name_of
from search.evaluation.evaluator import Evaluator
from search.evaluation.model import SharesParts
from search.evaluation.progress import OnQuality
from search.evaluation.quality import Cost, Quality, figures_of
from search.methods.method import Trial
from search.objectives import Floats, Objective, PointFigures
from search.objectives.objective import NOT_EVALUATED, minimised_values
from search.settings.experiment import Experiment
from search.space.design_genome import DesignGenome
from search.space.genome import Genes
from search.space.hardware_variants import Variant
from search.space.sites import SearchSite, search_sites
from simulators.inputs.errors import InputError

CANNOT_RUN = 1.0
"""Violation of a design point whose hardware cannot run its candidate."""
UNKNOWN = 1e6
"""Violation of a candidate whose evaluation killed workers, or gave no number: it ranks behind all others."""

Point = tuple[Variant, Bits]


class DesignSpace:
    """Candidates on one piece of hardware, or on several variants.

    A candidate over the memory limit is screened out before its error is evaluated, which is what takes the time.
    Errors are found once, whatever the hardware, by the first variant's evaluator.
    """

    def __init__(
        self,
        experiment: Experiment,
        genome: DesignGenome,
        evaluators: Mapping[int, Evaluator],
        error_limit: float | None,
        initial: Genes,
        done: OnQuality | None = None,
    ):
        """`evaluators` are by number of the variant; `initial` are gene vectors (N, genes) to begin with; `done` is
        told of each candidate as its quality becomes known."""
        self.objectives: tuple[Objective, ...] = experiment.resolved_objectives
        self.memory_limit_mib: float | None = experiment.constraints.memory_mib
        self.error_limit = error_limit
        self.initial = initial
        self.genome = genome
        self.evaluator = next(iter(evaluators.values()))
        self._evaluators = evaluators
        self._needs_error = experiment.needs_error
        self._done = done
        self._reasons: dict[tuple[int, str], str] = {}

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
        """See `Space.name_of`. Lifted activations give several gene vectors the same name."""
        return self._name(*self.genome.decode(genes))

    def preview(self, genes: Genes, errors: Floats) -> tuple[Floats, Floats]:
        """See `Space.preview`."""
        points = [self.genome.decode(row) for row in genes]
        costs = self._costs(points, keep=False)
        qualities = [Quality(float(error), float(error)) for error in errors]
        failed = [CANNOT_RUN if cost is None else 0.0 for cost in costs]
        return self._values(self._figures(points, qualities, costs), failed)

    def parts(self, genes: Genes) -> Sequence[Part]:
        """See `Space.parts`."""
        bits, model = self.decode(genes), self.evaluator.model
        return model.parts(bits) if isinstance(model, SharesParts) else [Part(tuple(bits.values()), 1.0, kept=False)]

    def evaluate(self, genes: Genes) -> list[Trial]:
        """What becomes of gene vectors (N, genes): simulated, and those within the memory limit evaluated."""
        points = [self.genome.decode(row) for row in genes]
        costs = self._costs(points, keep=True)
        fits = [cost is not None and not self.over_memory(cost) for cost in costs]
        wanted = [bits for (_, bits), fit in zip(points, fits, strict=True) if fit]
        if self._needs_error:
            self.evaluator.qualities(wanted, self._done)
        known = [self.evaluator.known_quality(bits) for _, bits in points]
        qualities = [quality if fit else None for quality, fit in zip(known, fits, strict=True)]
        failed = [self._failure(bits, cost) for (_, bits), cost in zip(points, costs, strict=True)]
        objectives, violations = self._values(self._figures(points, qualities, costs), failed)
        return [
            Trial(
                name=self._name(variant, bits), genes=row, bits=bits, variant=variant.number, objectives=values,
                violations=exceeded, error=None if quality is None else quality.error,
            )
            for (variant, bits), row, values, exceeded, quality in zip(
                points, genes, objectives, violations, known, strict=True
            )
        ]  # fmt: skip

    def cost(self, variant: Variant, bits: Bits) -> Cost | str:
        """What a candidate costs on a variant, or why that cannot run it. Raises InputError where there is one piece of
        hardware, and that cannot."""
        (cost,) = self._costs([(variant, bits)], keep=True)
        return self._reasons[variant.number, name_of(bits)] if cost is None else cost

    def _costs(self, points: Sequence[Point], keep: bool) -> list[Cost | None]:
        """What each point costs; None where a variant cannot run the candidate. Those of a variant together."""
        by_variant: dict[int, list[int]] = {}
        for i, (variant, bits) in enumerate(points):
            if (variant.number, name_of(bits)) not in self._reasons:
                by_variant.setdefault(variant.number, []).append(i)
        costs: list[Cost | None] = [None] * len(points)
        for number, rows in by_variant.items():
            evaluator = self._evaluators[number]
            simulate = evaluator.costs if keep else evaluator.preview
            try:
                of_variant: Sequence[Cost | None] = simulate([points[i][1] for i in rows])
            except InputError:
                if not self.hardware_genes:
                    raise
                of_variant = [self._cost_or_none(number, points[i][1], keep) for i in rows]
            for i, cost in zip(rows, of_variant, strict=True):
                costs[i] = cost
        return costs

    def _cost_or_none(self, number: int, bits: Bits, keep: bool) -> Cost | None:
        """What one candidate costs on a variant; None, with the reason noted, if that cannot run it."""
        evaluator = self._evaluators[number]
        try:
            return evaluator.cost(bits) if keep else evaluator.preview([bits])[0]
        except InputError as error:
            self._reasons[number, name_of(bits)] = str(error)
            return None

    def _figures(
        self, points: Sequence[Point], qualities: Sequence[Quality | None], costs: Sequence[Cost | None]
    ) -> PointFigures:
        return figures_of(qualities, costs, [variant.area_mm2 for variant, _ in points])

    def _values(self, figures: PointFigures, failed: Sequence[float]) -> tuple[Floats, Floats]:
        """Objectives (N, objectives) and violations (N, limits), as a trial has them; `failed` are violations (N,) of
        points that could not be run or evaluated. Raises InputError for an objective that a feasible point has no
        number for."""
        excess = np.zeros((len(figures), 3))
        if self.memory_limit_mib is not None:
            excess[:, 0] = np.nan_to_num(figures.memory_mib - self.memory_limit_mib)
        if self.error_limit is not None:
            excess[:, 1] = np.nan_to_num(figures.error - self.error_limit)
        excess[:, 2] = failed
        violations = np.maximum(excess, 0.0)
        values = minimised_values(self.objectives, figures)
        unknown = ~np.isfinite(values)
        wrong = unknown & ~violations.any(axis=1, keepdims=True)
        if wrong.any():
            row, column = (int(i) for i in np.argwhere(wrong)[0])
            name = self.objectives[column].name
            raise InputError(f"objective {name}: {values[row, column]} for a candidate within all limits: not a number")
        return np.where(unknown, NOT_EVALUATED, values), violations

    def over_memory(self, cost: Cost) -> bool:
        """Whether a candidate is over the memory limit."""
        return self.memory_limit_mib is not None and cost.memory_mib > self.memory_limit_mib

    def _failure(self, bits: Bits, cost: Cost | None) -> float:
        """The violation of a candidate that could not be run or evaluated; 0 for others."""
        if cost is None:
            return CANNOT_RUN
        return UNKNOWN if self.evaluator.why_unknown(bits) else 0.0

    def _name(self, variant: Variant, bits: Bits) -> str:
        """The name of a design point: the candidate's, behind the number of the variant where there are several."""
        return f"{variant.number} {name_of(bits)}" if self.hardware_genes else name_of(bits)
