"""What is said where nothing is feasible: by how much the nearest design point fails."""

from collections.abc import Sequence

from search.methods.method import Trial
from simulators.inputs.errors import InputError


class NothingFeasible(InputError):
    """No design point is within the limits. The command line exits with code 1: the input is right, and comes to
    nothing."""

    exit_code = 1


def shortfall(trials: Sequence[Trial], budget: Sequence[str] = ()) -> str:
    """What is said of design points none of which is within the limits: by how much the nearest exceeds them. Empty
    where one is within them. `budget` names the figures of a budget."""
    if any(trial.feasible for trial in trials):
        return ""
    memory, error, failed = range(3)
    of_budget = range(3, 3 + len(budget))
    order = [failed, memory, *of_budget, error]
    nearest = min(trials, key=lambda trial: tuple(trial.violations[order]))
    if nearest.violations[failed]:
        return f"nothing is within the limits: none of {len(trials)} candidates could be run and evaluated"
    shares = ((limit, f"of the 8-bit {name}") for limit, name in zip(of_budget, budget, strict=True))
    units = ((memory, "MiB of memory"), (error, "percentage points of error"), *shares)
    excess = [f"{nearest.violations[limit]:.3g} {unit}" for limit, unit in units if nearest.violations[limit]]
    return (
        f"nothing is within the limits: of {len(trials)} candidates the nearest, {nearest.name}, exceeds them by "
        + " and ".join(excess)
    )
