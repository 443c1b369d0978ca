"""What a search found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.sites.candidate import name_of
from search.evaluation.evaluator import Cost, Quality
from search.settings.experiment import Experiment
from search.space.genome import Bits
from simulators import Arch


@dataclass(frozen=True)
class Solution:
    """A candidate with all that is known of it."""

    bits: Bits
    quality: Quality | None
    cost: Cost

    @property
    def name(self) -> str:
        return name_of(self.bits)


@dataclass(frozen=True)
class Run:
    """A finished search."""

    experiment: Experiment
    folder: Path
    front: tuple[Solution, ...]
    """The feasible candidates that no other dominates, of all that were evaluated, by rising first objective."""
    visited: tuple[Solution, ...]
    """All candidates that the search looked at, in order of their first appearance; over the memory limit or set
    aside, quality is None."""
    feasible: tuple[bool, ...]
    """Of each of `visited`: whether it keeps all limits."""
    baselines: dict[int, Solution]
    """The candidates of one width for everything, by that width."""
    error_limit: float | None
    evaluated: int
    """Model evaluations that this process computed."""
    model: Any
    arch: Arch
    set_aside: tuple[Solution, ...] = ()
    """Of `visited`, those whose evaluation killed the workers that tried it: infeasible, with no quality."""
