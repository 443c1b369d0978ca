"""Beacon-based search (MOHAQ, Rezk et al. 2022, section 4.4): a few candidates are retrained, and their neighbours are
scored with what they learnt.

Every candidate is scored with the parameters of its nearest beacon as well as with the original ones, and keeps the
lower error. The distance of two candidates is Σ |log2(weight_bits) difference| over their sites, and where they have
thresholds Σ |log2(1 + threshold / 16) difference| besides; the original model counts as a beacon at 16 bits that sends
everything. A candidate becomes a beacon itself if it is farther than a threshold from all of
them and worth it: its error so many points above the base, few beacons yet, the memory limit kept.

What a delta network sends depends on its parameters, so a candidate with thresholds costs what it sends with those that
its error is of.

Decisions follow from the candidates in their order, so a search that is resumed comes to the same beacons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import log2
from pathlib import Path

from quant.sites.candidate import Bits, name_of
from quant.sites.delta_pair import thresholds_in
from search.evaluation.beacon_files import (
    BEACON_FOLDER,
    TRAINING,
    Retraining,
    StoredBeacon,
    finished_before,
    stored_beacons,
    write_description,
)
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.worker import RetrainedBefore, Source
from search.evaluation.model import CountsFrames, Model, Retrainable, retraining_code_of
from search.evaluation.progress import OnQuality, ShowsRetraining
from search.evaluation.quality import BASELINE_BITS, Cost, Quality, Unknown
from search.evaluation.retraining_cost import RetrainingCost
from search.settings.beacon_settings import BeaconSettings
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError, under

FINE_THRESHOLD = 16
"""In 1/256, a step of EdgeDRNN's gates: from here on a threshold that doubles is as far as a halved width, and below
it nearly nothing."""


@dataclass(frozen=True)
class Beacon:
    """A retrained candidate."""

    bits: Bits
    model: Model
    """The network with the parameters that it was trained to."""
    folder: Path
    """Where its retraining's result lies."""

    @property
    def name(self) -> str:
        """The candidate's name."""
        return name_of(self.bits)


def distance(a: Bits, b: Bits) -> float:
    """Σ |log2(weight_bits) difference| + |log2(1 + threshold / FINE_THRESHOLD) difference| over the sites; what has no
    threshold sends every change, as at 0."""
    of_a, of_b = thresholds_in(a), thresholds_in(b)
    return sum(
        abs(log2(a[site][0]) - log2(b[site][0])) + abs(_doublings(of_a.get(site, 0)) - _doublings(of_b.get(site, 0)))
        for site in a
    )


def _doublings(threshold: int) -> float:
    """How far a threshold in 1/256 is from sending every change."""
    return log2(1 + threshold / FINE_THRESHOLD)


class BeaconEvaluator(Evaluator):
    """An evaluator whose qualities are those with the original parameters or with the nearest beacon's.

    `begin` says the base's error, before which there are no beacons.
    """

    key = "beacons"
    """The key of an experiment that asks for it."""

    def __init__(self, original: Evaluator, settings: BeaconSettings, folder: Path, display: object = None):
        """An evaluator with beacons in a run's folder, and otherwise as the original one. The display is told how far a
        retraining came, if it shows that."""
        super().__init__(
            original.model, original.arch, original.steps, original.ledger, original.executor, original.source
        )
        if not isinstance(original.model, Retrainable):
            raise KeyedError((self.key,), "this model cannot be retrained")
        self.settings = settings
        self._original = original
        self.beacons: list[Beacon] = []
        self._retrainable: Retrainable = original.model
        self._folder = folder / BEACON_FOLDER
        self._display = display if isinstance(display, ShowsRetraining) else None
        self._base_error: float | None = None
        self._scored: dict[str, Quality | Unknown] = {}
        self._evaluators: dict[str, Evaluator] = {}
        self._trained_frames: dict[str, int | None] = {}
        """Frames of one epoch of each candidate's retraining, by its name."""
        self._again = 0
        """Evaluations with a beacon's parameters, of candidates that have one with the original ones."""
        for i, run in enumerate(settings.carry):
            with under("beacons", "carry", i):
                self.beacons += [self._carried(stored) for stored in stored_beacons(Path(run))]

    def begin(self, base_error: float) -> None:
        """From now on candidates may become beacons; `base_error` is that of 16 bits everywhere, in percent."""
        self._base_error = base_error

    def qualities(self, candidates: Sequence[Bits], done: OnQuality | None = None) -> list[Quality | None]:
        """The qualities that `Evaluator.qualities` gives, with beacons; candidates that were scored before keep their
        score. One that has no quality with the original parameters or with its nearest beacon's has none."""
        plain = self._original.qualities(candidates, done if self._base_error is None else None)
        if self._base_error is None:
            return plain
        fresh: dict[str, tuple[Bits, Quality | None]] = {}
        for bits, quality in zip(candidates, plain, strict=True):
            name = name_of(bits)
            if name not in self._scored and name not in fresh:
                fresh[name] = (bits, quality)
                if quality is not None and self._is_worth_it(bits, quality):
                    self.beacons.append(self._trained(bits))
        for nearest in [None, *self.beacons]:
            members = [(b, q) for b, q in fresh.values() if q is not None and self._nearest(b)[1] is nearest]
            self._score(members, nearest)
        for name, (bits, _) in fresh.items():
            if unknown := self._original.why_unknown(bits):
                self._scored[name] = unknown
        for bits in candidates:
            if done:
                done(bits, self._scored[name_of(bits)])
        return [self.known_quality(bits) for bits in candidates]

    def costs(self, candidates: Sequence[Bits]) -> list[Cost]:
        """What each candidate costs: with thresholds, with the parameters that its quality is of."""
        costs = self._original.costs(candidates)
        for i, bits in enumerate(candidates):
            scored = self._scored.get(name_of(bits))
            if thresholds_in(bits) and isinstance(scored, Quality) and scored.beacon:
                costs[i] = self.with_parameters(scored.beacon).cost(bits)
        return costs

    def preview(self, candidates: Sequence[Bits]) -> list[Cost]:
        """See `Evaluator.preview`: with the original parameters."""
        return self._original.preview(candidates)

    def recognition(self) -> None:
        """None: which candidates become beacons follows from their order."""
        return None

    def known_quality(self, bits: Bits) -> Quality | None:
        """What `qualities` returned for a candidate before, or None."""
        scored = self._scored.get(name_of(bits))
        if scored is None:
            return self._original.known_quality(bits)
        return scored if isinstance(scored, Quality) else None

    def why_unknown(self, bits: Bits) -> Unknown | None:
        """See `Evaluator.why_unknown`."""
        scored = self._scored.get(name_of(bits))
        if scored is None:
            return self._original.why_unknown(bits)
        return scored if isinstance(scored, Unknown) else None

    def with_parameters(self, beacon: str) -> Evaluator:
        """See `Evaluator.with_parameters`: of a beacon that candidates were scored with."""
        return self._evaluators[beacon] if beacon else self._original

    @property
    def evaluated(self) -> int:
        """Model evaluations computed here, with original and retrained parameters."""
        return self._original.evaluated + sum(evaluator.evaluated for evaluator in self._evaluators.values())

    def retraining_cost(self) -> RetrainingCost:
        """What the retrainings of this search cost, those of before a kill included."""
        retrained, model = len(self._trained_frames), self.model
        if not isinstance(model, CountsFrames):
            return RetrainingCost(retrained, self._again, None, None)
        training = self.settings.epochs * sum(frames or 0 for frames in self._trained_frames.values())
        return RetrainingCost(retrained, self._again, training, model.utterances(model.split).frames)

    def _score(self, members: Sequence[tuple[Bits, Quality]], beacon: Beacon | None) -> None:
        """Note the lower error of candidates, with the original parameters and with those of their nearest beacon."""
        if beacon is None:
            self._scored |= {name_of(bits): quality for bits, quality in members}
            return
        evaluator = self._evaluator(beacon)
        self._again += len(members)
        others = evaluator.qualities([bits for bits, _ in members])
        for (bits, quality), other in zip(members, others, strict=True):
            scored: Quality | Unknown = quality
            if other is None:
                scored = evaluator.why_unknown(bits) or Unknown.KILLED
            elif other.error < quality.error:
                scored = Quality(other.error, other.error_plain, beacon.name, quality.error, other.edits)
            self._scored[name_of(bits)] = scored

    def _nearest(self, bits: Bits) -> tuple[float, Beacon | None]:
        """The distance to the nearest beacon, and that beacon; None is the original model."""
        original = sum(log2(BASELINE_BITS) - log2(weight) for weight, _ in bits.values())
        original += sum(map(_doublings, thresholds_in(bits).values()))
        nearest: tuple[float, Beacon | None] = (original, None)
        for beacon in self.beacons:
            far = distance(bits, beacon.bits)
            if far < nearest[0]:
                nearest = (far, beacon)
        return nearest

    def _is_worth_it(self, bits: Bits, quality: Quality) -> bool:
        """Whether a candidate becomes a beacon."""
        s = self.settings
        assert self._base_error is not None
        increase = quality.error - self._base_error
        if len(self.beacons) >= s.most or not s.above <= increase <= s.below:
            return False
        if s.minimum_speedup is not None and (self.cost(bits).mohaq_speedup or 0.0) < s.minimum_speedup:
            return False
        return self._nearest(bits)[0] > s.threshold

    def _trained(self, bits: Bits) -> Beacon:
        """A beacon, retrained now or before a kill."""
        model, settings = self.model, self.settings
        code = retraining_code_of(model).digest()
        training = settings.model_dump(include={*TRAINING})
        retraining = Retraining(bits, model.digest, model.data_digest, code, training)
        folder = self._folder / retraining.name
        on_step = None if self._display is None else partial(self._display.retraining, bits)
        trained = self._retrainable.retrained(
            bits, folder, epochs=settings.epochs, learning_rate=settings.learning_rate, on_step=on_step
        )
        frames = self._frames_of_an_epoch(folder, trained)
        write_description(folder, retraining, trained.digest, frames)
        self._trained_frames[name_of(bits)] = frames
        return Beacon(bits, trained, folder)

    def _frames_of_an_epoch(self, folder: Path, trained: Model) -> int | None:
        """Frames of one epoch of a retraining: as was noted when it ended, or counted. So a search that is resumed need
        not read what it trained on, as one that retrains nothing does not."""
        if not isinstance(self.model, CountsFrames):
            return None
        before = finished_before(folder, trained.digest)
        return (before and before.frames) or self.model.utterances("train").frames

    def _carried(self, stored: StoredBeacon) -> Beacon:
        """Another run's beacon. Raises InputError for one of another model, or whose parameters were changed."""
        if stored.model != self.model.digest:
            raise InputError(f"{stored.folder}: a beacon of another model")
        model = self._retrainable.retrained_before(stored.folder)
        if model.digest != stored.digest:
            raise InputError(f"{stored.folder}: its parameters were changed: the digest differs")
        return Beacon(stored.bits, model, stored.folder)

    def _evaluator(self, beacon: Beacon) -> Evaluator:
        """What evaluates with a beacon's parameters."""
        if beacon.name not in self._evaluators:
            self._evaluators[beacon.name] = self._evaluator_of(beacon)
        return self._evaluators[beacon.name]

    def _evaluator_of(self, beacon: Beacon) -> Evaluator:
        source = Source.of(beacon.model, RetrainedBefore(self.source, beacon.folder.resolve()))
        kind = type(self._original)
        return kind(beacon.model, self.arch, self.steps, self.ledger, self.executor, source)
