"""Multi-objective search over bit-widths, with latency and energy from the simulators."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.runs.driver import Progress, run
    from search.runs.results import Run, Solution
    from search.settings.experiment import Experiment

__all__ = ["Experiment", "Progress", "Run", "Solution", "run"]


def __getattr__(name: str) -> Any:
    """pymoo takes a while to load: what needs it waits until it is asked for, so that a plugin's import of
    `search.objectives` costs next to nothing."""
    if name in ("Progress", "run"):
        from search.runs import driver

        return getattr(driver, name)
    if name in ("Run", "Solution"):
        from search.runs import results

        return getattr(results, name)
    if name == "Experiment":
        from search.settings.experiment import Experiment

        return Experiment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
