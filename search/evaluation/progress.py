"""What a display is told while candidates are evaluated, and what it may be able to show besides."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from quant.sites.candidate import Bits
from search.evaluation.quality import Quality


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


OnQuality = Callable[[Bits, Quality | None], None]
"""Told of each candidate as its quality becomes known; None: it was set aside."""


def reporter(progress: EvaluationProgress | None) -> OnQuality | None:
    """What tells a display of each candidate."""
    if progress is None:
        return None

    def report(bits: Bits, quality: Quality | None) -> None:
        if quality is None:
            progress.set_aside(bits)
        else:
            progress.evaluated(bits, quality)

    return report
