"""What the retrainings of a search cost, in evaluations of a candidate: so that searches with and without beacons can
be held against each other at equal cost.

Counted in frames, not in seconds, so that a run says the same wherever and however often it was stopped.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PASSES = 3
"""What a frame of training costs, in frames of an evaluation: a pass forward, and backward one for the gradients of
activations and one for those of weights, of as many multiply-accumulates each."""


@dataclass(frozen=True)
class RetrainingCost:
    """What a search's retrainings cost; those of beacons that it was given are another search's."""

    retrained: int
    """Candidates that were retrained."""
    again: int
    """Evaluations with the parameters of a beacon, of candidates that were evaluated with the original ones too."""
    training_frames: int | None
    """Frames that all retrainings went through, every epoch counted; None: the model does not say how many."""
    evaluation_frames: int | None
    """Frames of one evaluation."""

    @property
    def evaluations(self) -> float | None:
        """Evaluations that the retrainings cost as much as."""
        if self.training_frames is None or not self.evaluation_frames:
            return None
        return PASSES * self.training_frames / self.evaluation_frames

    def stored(self) -> dict[str, Any]:
        """What `pareto.json` has of it."""
        return {**asdict(self), "evaluations": self.evaluations}


def retraining_line(stored: Mapping[str, Any] | None) -> str:
    """What the content of `pareto.json` tells of it, in words; empty for a search that retrains nothing."""
    if stored is None:
        return ""
    count = f"{stored['retrained']} candidates retrained" if stored["retrained"] != 1 else "1 candidate retrained"
    again = f"; {stored['again']} more evaluations with their parameters" if stored["again"] else ""
    if stored["evaluations"] is None:
        return count + again + "; on how many frames, the model does not say"
    return (
        f"{count} on {stored['training_frames']:,} frames, which costs about as much as {stored['evaluations']:,.1f} "
        f"evaluations of {stored['evaluation_frames']:,} frames (a frame of training as {PASSES}){again}"
    )
