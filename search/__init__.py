"""Multi-objective search over bit-widths, with latency and energy from the simulators."""

from search.runs.driver import Progress, run
from search.runs.results import Run, Solution
from search.settings.experiment import Experiment

__all__ = ["Experiment", "Progress", "Run", "Solution", "run"]
