"""Multi-objective search over bit-widths, with latency and energy from the simulators."""

from search.driver import Progress, run
from search.experiment import Experiment
from search.results import Run, Solution

__all__ = ["Experiment", "Progress", "Run", "Solution", "run"]
