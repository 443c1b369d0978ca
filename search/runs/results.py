"""What a search found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quant.sites.candidate import Bits, name_of
from search.evaluation.model import Model
from search.evaluation.quality import Cost, Quality, figures_of
from search.evaluation.retraining_cost import RetrainingCost
from search.held_out.front_check import FrontCheck
from search.held_out.split_errors import ChosenCandidate
from search.objectives import PointFigures
from search.runs.budget_limits import NO_BUDGET, BudgetLimits
from search.settings.experiment import Experiment
from simulators import Arch


@dataclass(frozen=True)
class Solution:
    """A candidate with all that is known of it."""

    bits: Bits
    quality: Quality | None
    """None: over the memory limit, set aside, no number, or not asked for."""
    cost: Cost

    @property
    def name(self) -> str:
        """The candidate's name."""
        return name_of(self.bits)

    @property
    def chosen(self) -> ChosenCandidate:
        """The candidate with the parameters that its quality is of."""
        return ChosenCandidate(self.bits, "" if self.quality is None else self.quality.beacon)


@dataclass(frozen=True)
class Run:
    """A finished search."""

    experiment: Experiment
    folder: Path
    front: tuple[Solution, ...]
    """The feasible candidates that no other dominates, of all that were evaluated, by rising first objective."""
    visited: tuple[Solution, ...]
    """All candidates that the search looked at, in order of their first appearance."""
    feasible: tuple[bool, ...]
    """Whether each of `visited` keeps all limits."""
    baselines: Mapping[int, Solution]
    """The candidates of one width for everything, by that width in bits."""
    error_limit: float | None
    """Largest feasible error in percent."""
    evaluated: int
    """Model evaluations that this process computed."""
    model: Model
    arch: Arch
    budget: BudgetLimits = NO_BUDGET
    """What a feasible candidate may cost, of what 8 bits do."""
    area_mm2: float | None = None
    """Area of the architecture; None: its spec has no figures."""
    shortfall: str = ""
    """Where nothing is feasible, by how much the nearest candidate fails; empty otherwise."""
    set_aside: tuple[Solution, ...] = ()
    """Candidates of `visited` whose evaluation killed the workers that tried it: infeasible, with no quality."""
    no_number: tuple[Solution, ...] = ()
    """Candidates of `visited` whose error the model measured as NaN or infinite: infeasible, with no quality."""
    confirmed: tuple[Quality, ...] = ()
    """On all of dev, of the candidates that were evaluated on it before the front was drawn, which is of these then."""
    float_error: float | None = None
    """The model's error in float32 in percent, which the widest baseline is held against; None: it does not say it."""
    retrained: Mapping[str, Model] = field(default_factory=dict)
    """With thresholds, the models with the parameters of the front's beacons, by beacon: what they send differs."""
    check: FrontCheck | None = None
    """The front and the baselines held against test and all of dev."""

    retraining: RetrainingCost | None = None
    """What its retrainings cost; None where it retrains nothing."""

    def figures(self, solutions: Sequence[Solution]) -> PointFigures:
        """All that is known of N solutions, as arrays."""
        qualities, costs = [s.quality for s in solutions], [s.cost for s in solutions]
        return figures_of(qualities, costs, [self.area_mm2] * len(solutions))
