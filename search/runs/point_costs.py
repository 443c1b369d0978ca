"""What design points cost, and which of them are within the limits that are known before an error is evaluated."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from quant.sites.candidate import Bits, name_of
from search.evaluation.evaluator import Evaluator
from search.evaluation.ledger_rows import LedgerUnusable
from search.evaluation.model import MIB_BITS, stored_bits_of
from search.evaluation.quality import Cost
from search.runs.budget_limits import NO_BUDGET, BudgetLimits
from search.runs.shortfall import NothingFeasible
from search.settings.constraints import Constraints
from search.space.design_genome import DesignGenome
from search.space.genome import Genes
from search.space.hardware_variants import Variant
from search.space.stored_bits import StoredBits
from simulators.inputs.errors import InputError

Point = tuple[Variant, Bits]

MOST_NARROWEST = 10_000
"""Choices of hardware that are tried for one that the narrowest candidate fits."""


class PointCosts:
    """Costs of the points of a genome; `evaluators` are by number of the variant. A budget is for one variant."""

    def __init__(
        self, constraints: Constraints, genome: DesignGenome, evaluators: Mapping[int, Evaluator],
        budget: BudgetLimits = NO_BUDGET,
    ):  # fmt: skip
        self.memory_limit_mib: float | None = constraints.memory_mib
        self.genome = genome
        self.evaluators = evaluators
        self.budget = budget
        self._reasons: dict[tuple[int, str], str] = {}

    @property
    def upper(self) -> Genes:
        """See `Space.upper`."""
        return self.genome.upper

    @property
    def hardware_genes(self) -> int:
        """See `Space.hardware_genes`."""
        return self.genome.hardware_genes

    def name_of(self, genes: Genes) -> str:
        """See `Space.name_of`. Lifted activations give several gene vectors the same name, and so do the genes of
        hardware that is not chosen."""
        return self.name(*self.genome.decode(genes))

    def name(self, variant: Variant, bits: Bits) -> str:
        """The name of a design point: the candidate's, behind the number of the variant where there are several."""
        return f"{variant.number} {name_of(bits)}" if self.hardware_genes else name_of(bits)

    def within(self, genes: Genes) -> NDArray[np.bool_]:
        """See `Space.within`."""
        if self.memory_limit_mib is None and not self.hardware_genes and not self.budget.limits:
            return np.ones(len(genes), bool)
        points = [self.genome.decode(row) for row in genes]
        kept = np.array([not self._excess_mib(bits) for _, bits in points], bool)
        if self.budget.limits:
            kept[kept] = self._keep_budget([bits for (_, bits), keep in zip(points, kept, strict=True) if keep])
        if self.hardware_genes:
            costs = self.costs([point for point, keep in zip(points, kept, strict=True) if keep], keep=False)
            kept[kept] = [cost is not None for cost in costs]
        return kept

    def check(self) -> None:
        """Raise NothingFeasible where the narrowest candidate is over the memory limit, or no variant can run it."""
        bits = len(self.upper) - self.hardware_genes
        choices = product(*(range(int(count) + 1) for count in self.upper[bits:]))
        rows = np.array([[*([0] * bits), *choice] for choice in islice(choices, MOST_NARROWEST)], np.int64)
        if self.within(rows).any():
            return
        excess, row = min((self._excess_mib(self.genome.decode(row)[1]), i) for i, row in enumerate(rows))
        variant, narrowest = self.genome.decode(rows[row])
        name = self.name(variant, narrowest)
        if self.memory_limit_mib is not None and excess:
            limit = self.memory_limit_mib
            rule = f"the narrowest candidate, {name}, takes {limit + excess:.4g} MiB, {excess:.4g} too many"
            raise NothingFeasible(f"constraints.memory_mib: {limit:g}: nothing is within it: {rule}")
        if self.budget.limits:
            takes = self.budget.said_of(self.evaluators[variant.number].cost(narrowest))
            rule = f"the narrowest candidate, {name}, takes {takes}"
            raise NothingFeasible(f"constraints.budget: {self.budget.said}: nothing is within it: {rule}")
        raise NothingFeasible(f"hardware: no variant can run the narrowest candidate: {self.cost(variant, narrowest)}")

    def over_limits(self, cost: Cost) -> bool:
        """Whether a candidate is over the memory limit or the budget."""
        over_memory = self.memory_limit_mib is not None and cost.memory_mib > self.memory_limit_mib
        return over_memory or not self.budget.kept_by(cost)

    def cost(self, variant: Variant, bits: Bits) -> Cost | str:
        """What a candidate costs on a variant, or why that cannot run it. Raises InputError where there is one piece of
        hardware, and that cannot."""
        (cost,) = self.costs([(variant, bits)], keep=True)
        return self._reasons[variant.number, name_of(bits)] if cost is None else cost

    def costs(self, points: Sequence[Point], keep: bool) -> list[Cost | None]:
        """What each point costs, recorded or not; None where a variant cannot run the candidate."""
        by_variant: dict[int, list[int]] = {}
        for i, (variant, bits) in enumerate(points):
            if (variant.number, name_of(bits)) not in self._reasons:
                by_variant.setdefault(variant.number, []).append(i)
        if keep:  # what is evaluated to know its cost is evaluated beside the others, whatever the variant
            first = next(iter(self.evaluators.values()))
            first.measure([(self.evaluators[n], points[i][1]) for n, rows in by_variant.items() for i in rows])
        costs: list[Cost | None] = [None] * len(points)
        for number, rows in by_variant.items():
            evaluator = self.evaluators[number]
            simulate = evaluator.costs if keep else evaluator.preview
            try:
                of_variant: Sequence[Cost | None] = simulate([points[i][1] for i in rows])
            except LedgerUnusable:
                raise
            except InputError:
                if not self.hardware_genes:
                    raise
                of_variant = [self._cost_or_none(number, points[i][1], keep) for i in rows]
            for i, cost in zip(rows, of_variant, strict=True):
                costs[i] = cost
        return costs

    def _cost_or_none(self, number: int, bits: Bits, keep: bool) -> Cost | None:
        """What one candidate costs on a variant; None, with the reason noted, if that cannot run it."""
        evaluator = self.evaluators[number]
        try:
            return evaluator.cost(bits) if keep else evaluator.preview([bits])[0]
        except LedgerUnusable:
            raise
        except InputError as error:
            self._reasons[number, name_of(bits)] = str(error)
            return None

    def _keep_budget(self, candidates: Sequence[Bits]) -> list[bool]:
        """Whether each candidate keeps the budget."""
        (evaluator,) = self.evaluators.values()
        return [self.budget.kept_by(cost) for cost in evaluator.preview(candidates)] if candidates else []

    def _excess_mib(self, bits: Bits) -> float:
        """MiB by which a candidate exceeds the memory limit."""
        if self.memory_limit_mib is None:
            return 0.0
        return max(0.0, self._stored.of(bits) / MIB_BITS - self.memory_limit_mib)

    @cached_property
    def _stored(self) -> StoredBits:
        evaluator = next(iter(self.evaluators.values()))
        model, steps, genome = evaluator.model, evaluator.steps, self.genome.bits
        return StoredBits(genome.sites, genome.precisions, lambda bits: stored_bits_of(model, bits, steps))
