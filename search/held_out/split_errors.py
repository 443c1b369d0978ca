"""What candidates err on all of a split: evaluated where the search's own evaluations were, and recorded in the same
ledger, under the digest of that split's data."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from quant.evaluation.rates import ScoredUtterances
from quant.sites.candidate import Bits, name_of
from search.evaluation.evaluator import Evaluator
from search.evaluation.ledger import Ledger, errors_of
from search.evaluation.model import CountsEdits, HasSplits, Model
from search.evaluation.progress import EvaluationProgress, ShowsSplits
from search.evaluation.quality import Quality, Unknown
from simulators.inputs.errors import InputError

SPLITS = ("dev", "test")
NO_SPLITS = "the model has no other data than those of the search"


class NoSplit(InputError):
    """The model has no such split, or its data cannot be read."""


class ChosenCandidate(NamedTuple):
    """A candidate with the parameters that it was chosen with."""

    bits: Bits
    beacon: str = ""
    """The beacon that they are of; empty: the original ones."""

    @property
    def key(self) -> tuple[str, str]:
        """Tells it apart."""
        return name_of(self.bits), self.beacon


@dataclass(frozen=True)
class SplitErrors:
    """What candidates err on all of a split."""

    qualities: Mapping[tuple[str, str], Quality]
    """Qualities by `ChosenCandidate.key`, without those whose evaluation gave no number, or killed workers."""
    scored: ScoredUtterances | None
    """The utterances that errors are counted over; None: the model does not say."""


def on_splits(model: Model) -> list[Model]:
    """A model on all of dev and on test, as far as it has them and they can be read."""
    found = []
    for split in SPLITS if isinstance(model, HasSplits) else ():
        with suppress(InputError):
            on_split = model.on_split(split)  # type: ignore[attr-defined]
            if on_split.data_digest:
                found.append(on_split)
    return found


def copy_errors(theirs: Ledger, ours: Ledger, model: Model, candidates: Collection[str] | None = None) -> None:
    """Record in a ledger what another knows of a model's errors, also on test and on all of dev: of the candidates of
    these names, or of all."""
    for key in dict.fromkeys(map(errors_of, (model, *on_splits(model)))):
        known = {*ours.candidates(key)}
        wanted = [name for name in (theirs.candidates(key) if candidates is None else candidates) if name not in known]
        found = {name: theirs.find_error(key, name) for name in wanted}
        ours.write_errors(key, {name: error for name, error in found.items() if error is not None})


def errors_on(
    split: str, evaluator: Evaluator, chosen: Sequence[ChosenCandidate], progress: EvaluationProgress | None
) -> SplitErrors:
    """Evaluate candidates on a split, those of one beacon together. Raises NoSplit where the model has no such
    split, or it cannot be read, and InputError where the evaluation fails."""
    by_beacon: dict[str, dict[str, Bits]] = {}
    for bits, beacon in chosen:
        by_beacon.setdefault(beacon, {})[name_of(bits)] = bits
    count, done = sum(map(len, by_beacon.values())), 0

    def on_quality(bits: Bits, quality: Quality | Unknown) -> None:
        nonlocal done
        done += 1
        if isinstance(progress, ShowsSplits):
            progress.on_split(split, done, count)

    found: dict[tuple[str, str], Quality] = {}
    scored = None
    for beacon, candidates in by_beacon.items():
        of_beacon = evaluator.with_parameters(beacon)
        try:
            on_split = of_beacon.on_split(split)
        except InputError as error:
            raise NoSplit(str(error)) from None
        if on_split is None:
            raise NoSplit(NO_SPLITS)
        scored = on_split.model.scored if isinstance(on_split.model, CountsEdits) else None
        qualities = on_split.qualities(list(candidates.values()), on_quality)
        found |= {(name, beacon): q for name, q in zip(candidates, qualities, strict=True) if q is not None}
    return SplitErrors(found, scored)
