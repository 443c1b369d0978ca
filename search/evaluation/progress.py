"""What a display is told while candidates are evaluated, and what it may be able to show besides."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from quant.sites.candidate import Bits
from search.evaluation.quality import Quality, Unknown


class EvaluationProgress(Protocol):
    """A display of evaluations; every method may do nothing."""

    def started(self, candidates: int) -> None:
        """About this many candidates will be evaluated."""

    def evaluated(self, bits: Bits, quality: Quality) -> None:
        """One candidate's error is known, computed now or found in the ledger."""

    def set_aside(self, bits: Bits) -> None:
        """One candidate's evaluation killed the workers that tried it, now or before: it counts as infeasible."""


@runtime_checkable
class ShowsRetraining(Protocol):
    """A display that shows how far the training of a beacon came."""

    def retraining(self, bits: Bits, step: Any) -> None:
        """A beacon for a candidate is trained: so many steps are done."""


@runtime_checkable
class ShowsNoNumber(Protocol):
    """A display that names candidates whose error is NaN or infinite; another is told that they are set aside."""

    def no_number(self, bits: Bits) -> None:
        """The model measured no number as one candidate's error, now or before: it counts as infeasible."""


@runtime_checkable
class ShowsSplits(Protocol):
    """A display that shows how far a front's evaluation on other data came."""

    def on_split(self, split: str, done: int, of: int) -> None:
        """So many of these candidates are evaluated on all of a split."""


OnQuality = Callable[[Bits, Quality | Unknown], None]
"""Told of each candidate as its quality becomes known, or why it has none."""


def reporter(progress: EvaluationProgress | None) -> OnQuality | None:
    """What tells a display of each candidate."""
    if progress is None:
        return None

    def report(bits: Bits, quality: Quality | Unknown) -> None:
        if isinstance(quality, Quality):
            progress.evaluated(bits, quality)
        elif quality is Unknown.NO_NUMBER and isinstance(progress, ShowsNoNumber):
            progress.no_number(bits)
        else:
            progress.set_aside(bits)

    return report
