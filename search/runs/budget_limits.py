"""What a budget comes to on one piece of hardware: the largest latency, energy and memory, as shares of what 8 bits
everywhere cost there (HAQ, Wang et al. 2019: 0.6 of the latency)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from search.evaluation.evaluator import Evaluator
from search.evaluation.quality import Cost
from search.objectives import Floats, PointFigures
from search.settings.constraints import Budget
from search.space.genome import Genome
from simulators.inputs.source_locations import KeyedError

REFERENCE_BITS = 8
"""Width of weights and activations of the candidate that shares are of."""
FIGURES = {"latency": ("latency_ms", "ms"), "energy": ("energy_uj", "µJ"), "memory": ("memory_mib", "MiB")}
"""What a budget may name → the figure of a cost, and its unit."""


class BudgetLimit(BaseModel):
    """The largest value of one figure; a file of results has it so too."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: Literal["latency", "energy", "memory"]
    share: float = Field(gt=0)
    """The limit as a share of `of`, a ratio."""
    of: float = Field(ge=0)
    """What 8 bits everywhere cost, in ms, µJ or MiB."""

    @property
    def column(self) -> str:
        """Name of the figure, with the unit."""
        return FIGURES[self.name][0]

    @property
    def most(self) -> float:
        """The largest value, in ms, µJ or MiB."""
        return self.share * self.of

    @property
    def said(self) -> str:
        """The limit in words."""
        return f"{self.name} at most {self.most:,.4g} {FIGURES[self.name][1]} ({self.share:g} of 8 bits)"


@dataclass(frozen=True)
class BudgetLimits:
    """The limits of a budget; none where an experiment has no budget."""

    limits: tuple[BudgetLimit, ...] = ()

    @classmethod
    def of(cls, budget: Budget | None, evaluator: Evaluator, genome: Genome) -> Self:
        """What a budget comes to where this evaluator simulates. The genome's pairs have one of 8 bits."""
        if budget is None:
            return cls()
        pair = _references(genome)[0]
        cost = evaluator.cost({site.name: pair for site in evaluator.model.sites})
        return cls(
            tuple(
                BudgetLimit(name=name, share=share, of=getattr(cost, FIGURES[name][0]))  # type: ignore[arg-type]
                for name, share in budget.shares.items()
            )
        )

    @classmethod
    def of_stored(cls, stored: Sequence[Mapping[str, Any]]) -> Self:
        """The limits that a file of results holds."""
        return cls(tuple(BudgetLimit.model_validate(limit) for limit in stored))

    def stored(self) -> list[dict[str, Any]]:
        """The limits as a file of results holds them."""
        return [limit.model_dump() for limit in self.limits]

    def kept_by(self, cost: Cost) -> bool:
        """Whether a candidate of this cost keeps all limits."""
        return all(getattr(cost, limit.column) <= limit.most for limit in self.limits)

    def kept_by_figures(self, row: Mapping[str, Any]) -> bool:
        """Whether a candidate keeps all limits, by its row in a file of results."""
        return all(row[limit.column] <= limit.most for limit in self.limits)

    def excess(self, figures: PointFigures) -> Floats:
        """(N, limits) By which share of the 8-bit cost points are over each limit; below 0 where they keep it."""
        columns = [(getattr(figures, limit.column) - limit.most) / max(limit.of, 1e-300) for limit in self.limits]
        return np.stack(columns, axis=1) if columns else np.zeros((len(figures), 0))

    @property
    def said(self) -> str:
        """The limits in words."""
        return ", ".join(limit.said for limit in self.limits)

    def said_of(self, cost: Cost) -> str:
        """What a candidate takes of each figure, in words."""
        return ", ".join(
            f"{getattr(cost, limit.column):,.4g} {FIGURES[limit.name][1]} of {limit.name}" for limit in self.limits
        )


NO_BUDGET = BudgetLimits()


def check_budget(budget: Budget | None, genome: Genome, hardware: str) -> None:
    """Raise KeyedError for a budget of 8 bits where its pairs have no 8."""
    if budget is not None and not _references(genome):
        rule = f"it is of the cost of {REFERENCE_BITS} bits, which {hardware} does not offer for this model"
        raise KeyedError(("constraints", "budget"), rule)


def _references(genome: Genome) -> list[tuple[int, int]]:
    """The pair that shares are of the cost of; none where it is not legal."""
    return [pair for pair in genome.alike if pair[0] == REFERENCE_BITS]
