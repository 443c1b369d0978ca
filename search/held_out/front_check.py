"""A front held against speech that it was not chosen by: what files and tables say of each solution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.evaluation.evaluator import Evaluator
from search.evaluation.progress import EvaluationProgress
from search.evaluation.quality import Quality
from search.held_out.luck import Luck
from search.held_out.resampling import Difference, changes, edits_of
from search.held_out.split_errors import SPLITS, ChosenCandidate, NoSplit, SplitErrors, errors_on
from search.objectives.columns import HELD_OUT

DIGITS = 4
"""Decimals of figures in files, as of errors."""


@dataclass(frozen=True)
class FrontCheck:
    """What solutions err on test and on all of dev; mappings are by `ChosenCandidate.key`."""

    why_not: str
    """Why there is nothing of it; empty where there is."""
    dev: Mapping[tuple[str, str], Quality]
    test: Mapping[tuple[str, str], Quality]
    changes: Mapping[tuple[str, str], tuple[Difference, Difference]]
    """On test over 16 bits everywhere: of the worst group of speakers, and of all."""
    utterances: int
    """Utterances of test; 0 where they are not counted."""
    luck: Luck | None
    """How far the lowest error of the search is luck; None where its utterances are not counted."""

    def cells(self, chosen: ChosenCandidate) -> dict[str, float | None]:
        """The columns of errors and changes of a solution; None where a value is not known."""
        values: list[float | None] = []
        for of_split in (self.dev, self.test):
            quality = of_split.get(chosen.key)
            values += [None, None] if quality is None else [quality.error, quality.error_plain]
        for change in self.changes.get(chosen.key, (None, None)):
            values += [None] * 3 if change is None else change
        rounded = [None if value is None else round(value, DIGITS) for value in values]
        return dict(zip(HELD_OUT, rounded, strict=False))

    def about(self) -> dict[str, Any]:
        """What holds of the whole front, for JSON."""
        luck = None if self.luck is None else {
            "candidates": self.luck.candidates, "lowest": round(self.luck.lowest, DIGITS),
            "points": round(self.luck.points, DIGITS),
        }  # fmt: skip
        return {"why_not": self.why_not, "utterances": self.utterances, "luck": luck}


def check_front(
    evaluator: Evaluator, solutions: Sequence[ChosenCandidate], base: ChosenCandidate | None, luck: Luck | None,
    progress: EvaluationProgress | None,
) -> FrontCheck:  # fmt: skip
    """Evaluate solutions on test and on all of dev. `base` is 16 bits everywhere, which changes are over. A model
    without a test split, or one that cannot be read, is said to be so: the search before it is worth no less."""
    everything = [*solutions, *([] if base is None else [base])]
    try:
        dev, test = (errors_on(split, evaluator, everything, progress) for split in SPLITS)
    except NoSplit as error:
        return FrontCheck(str(error), {}, {}, {}, 0, luck)
    counted = test.scored
    utterances = 0 if counted is None else len(counted.reference_phones)
    return FrontCheck("", dev.qualities, test.qualities, _changes(test, base), utterances, luck)


def _changes(test: SplitErrors, base: ChosenCandidate | None) -> dict[tuple[str, str], tuple[Difference, Difference]]:
    """Changes of all candidates whose edits are counted."""
    of_base = None if base is None else test.qualities.get(base.key)
    if test.scored is None or of_base is None or not of_base.edits:
        return {}
    counted = {key: quality.edits for key, quality in test.qualities.items() if quality.edits}
    edits = edits_of([*counted.values(), of_base.edits], test.scored)
    return dict(zip(counted, zip(*changes(edits[:-1], edits[-1], test.scored), strict=True), strict=True))


def checked_cells(
    check: FrontCheck,
    solutions: Sequence[ChosenCandidate],
    base: ChosenCandidate | None,
    dominators: Sequence[int | None] = (),
) -> list[dict[str, Any]]:
    """The columns `HELD_OUT` of solutions. `base` is 16 bits everywhere, and `dominators` are the positions of what
    dominates each on test."""
    rows = []
    for i, chosen in enumerate(solutions):
        by = dominators[i] if dominators else None
        name = "" if by is None else f"{by:03d}"
        rows.append({**check.cells(chosen), "dominated_on_test_by": name, "lost_on_test": _lost(check, chosen, base)})
    return rows


def _lost(check: FrontCheck, chosen: ChosenCandidate, base: ChosenCandidate | None) -> int | None:
    """1 where a solution errs less than 16 bits on dev and no less on test, else 0; None where an error is not
    known."""
    keys = [] if base is None else [chosen.key, base.key]
    if not keys or any(key not in of_split for of_split in (check.dev, check.test) for key in keys):
        return None
    (dev, dev_of_base), (test, test_of_base) = (
        [of_split[key].error for key in keys] for of_split in (check.dev, check.test)
    )
    return int(dev < dev_of_base and test >= test_of_base)
