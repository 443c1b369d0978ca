"""How weights and activations are quantized: the key `clipping` of an experiment."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from search.objectives import Objective
from search.objectives.figures import OF_EVALUATION
from search.settings.constraints import Budget


class Clipping(BaseModel):
    """The methods of clipping: see `quant.arithmetic.clipping`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    weights: Literal["mse", "max", "percentile", "aciq-laplace", "aciq-gauss", "kmeans"] = "mse"
    """How the range of a weight matrix is chosen; `kmeans`: its weights are codes of a codebook."""
    activations: Literal["mse", "max", "percentile", "median"] = "mse"
    """How the range of an activation is chosen."""
    per_channel: bool = False
    """Whether every output channel has a step of its own."""

    @property
    def has_codebooks(self) -> bool:
        """Whether weights are codes of a codebook."""
        return self.weights == "kmeans"

    @model_validator(mode="after")
    def _codebooks_alone(self) -> Self:
        if self.has_codebooks and (self.per_channel or self.activations != "mse"):
            raise ValueError("weights: kmeans: a codebook is of a whole matrix, and activations have 16 bits")
        return self


COST_OF_CODEBOOKS = "no platform looks weights up in codebooks: what they save is size or memory"
_OF_CODEBOOKS = {*OF_EVALUATION, "memory_mib"}


def check_codebook_costs(objectives: tuple[Objective, ...], budget: Budget | None) -> None:
    """Raise ValueError for objectives and budgets of what is simulated, where weights are codes of codebooks."""
    for i, objective in enumerate(objectives):
        if not _OF_CODEBOOKS.issuperset(objective.needs):
            raise ValueError(f"objectives.{i}: {objective.name}: {COST_OF_CODEBOOKS}")
    for name in () if budget is None else budget.shares:
        if name != "memory":
            raise ValueError(f"constraints.budget: {name}: {COST_OF_CODEBOOKS}")
