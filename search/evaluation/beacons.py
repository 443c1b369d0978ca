"""Beacon-based search (MOHAQ, Rezk et al. 2022, section 4.4): a few candidates are retrained, and their neighbours are
scored with what they learnt.

Every candidate is scored with the parameters of its nearest beacon as well as with the original ones, and keeps the
lower error. The distance of two candidates is Σ |log2(weight_bits) difference| over their sites; the original
model counts as a beacon at 16 bits. A candidate becomes a beacon itself if it is farther than a threshold from all of
them and worth it: its error so many points above the base, few beacons yet, the memory limit kept.

Beacons lie in a folder beside the ledger, one each, named after all that it comes from: the state of a retraining
that is under way, and what it led to. Decisions follow from the candidates in their order, so a search that is resumed
comes to the same beacons.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from quant.sites.candidate import name_of
from search.evaluation.evaluator import Evaluator, Quality
from search.evaluation.executors.executor import Executor
from search.evaluation.executors.worker import RetrainedBefore, Source
from search.evaluation.ledger import Ledger
from search.evaluation.model import Retrainable, retraining_code_of
from search.runs.run_folder import BEACON_FOLDER
from search.space.genome import Bits
from simulators import Arch
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole
from simulators.inputs.source_locations import KeyedError, under

DESCRIPTION = "beacon.json"
TRAINING = ("epochs", "learning_rate")
"""The settings that decide what a retraining comes to."""
BASE_BITS = 16


class BeaconSettings(BaseModel):
    """When a candidate is retrained, and how long; the defaults are the published code's, but for the training."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    threshold: float = Field(default=5.0, ge=0)
    """A new beacon's distance from all others exceeds it."""
    above: float = Field(default=3.0)
    """Error over the base, in percentage points, from which a candidate is worth retraining …"""
    below: float = Field(default=14.0)
    """… and up to which it can be saved."""
    minimum_speedup: float | None = Field(default=None, gt=0)
    """`mohaq_speedup` from which a candidate is worth retraining (published: 20, later 10)."""
    most: int = Field(default=4, ge=1, le=100)
    """How many there are at most."""
    epochs: int = Field(default=2, ge=1, le=1000)
    learning_rate: float = Field(default=5e-4, gt=0)
    carry: tuple[str, ...] = Field(default=(), strict=False)
    """Folders of other runs whose beacons are there from the beginning."""


@dataclass(frozen=True)
class Beacon:
    """A retrained candidate."""

    bits: Bits
    model: Any
    folder: Path
    """What its retraining left."""

    @property
    def name(self) -> str:
        return name_of(self.bits)


def _descriptions(run: Path) -> list[Path]:
    """Of another run's beacons."""
    found = sorted((run / BEACON_FOLDER).glob(f"*/{DESCRIPTION}"))
    if not found:
        raise InputError(f"{run}: it holds no beacons")
    return found


def beacon_file(run: Path, settings: BeaconSettings, model_digest: str, beacon: str) -> Path:
    """The parameters of a run's beacon, its own or a carried one, by its candidate. Raises InputError if it is lost."""
    from quant.training.retraining import RESULT  # brings torch with it, which a search need not load

    for folder in (run, *map(Path, settings.carry)):
        for path in sorted((folder / BEACON_FOLDER).glob(f"*/{DESCRIPTION}")):
            content = _described(path)
            as_here = folder != run or all(content[key] == getattr(settings, key) for key in TRAINING)
            if as_here and content["of"] == model_digest and name_of(content["bits"]) == beacon:
                return path.parent / RESULT
    raise InputError(f"{run / BEACON_FOLDER}: the beacon {beacon} is lost")


def _described(path: Path) -> dict[str, Any]:
    """What a beacon's description says."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        if {"bits", "of", "digest", *TRAINING} <= content.keys():
            return content
    except (OSError, ValueError, AttributeError):
        pass
    raise InputError(f"{path}: not as this version of mohaq describes a beacon: a search made anew writes it")


def digest_of_carried(settings: BeaconSettings) -> str:
    """sha256 over what describes the beacons that a search begins with: bits and digests of parameters."""
    digest = hashlib.sha256()
    for i, run in enumerate(settings.carry):
        with under("beacons", "carry", i):
            paths = _descriptions(Path(run))
        for path in paths:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def distance(a: Bits, b: Bits) -> float:
    """Σ |log2(weight_bits) difference| over the sites."""
    return sum(abs(log2(a[site][0]) - log2(b[site][0])) for site in a)


class BeaconEvaluator(Evaluator):
    """An evaluator whose qualities are those with the original parameters or with the nearest beacon's.

    `begin` says the base's error, before which there are no beacons. `training` is told how far a retraining came.
    """

    def __init__(self, model: Any, arch: Arch, steps: int, ledger: Ledger, executor: Executor,
                 settings: BeaconSettings, folder: Path,
                 training: Callable[[Bits, Any], None] | None = None, source: Source | None = None):  # fmt: skip
        super().__init__(model, arch, steps, ledger, executor, source)
        if not isinstance(model, Retrainable):
            raise KeyedError(("beacons",), "this model cannot be retrained")
        self.settings = settings
        self._model: Any = model
        self.beacons: list[Beacon] = []
        self._folder = folder / BEACON_FOLDER
        self._training = training
        self._base_error: float | None = None
        self._scored: dict[str, Quality | None] = {}
        self._evaluators: dict[str, Evaluator] = {}
        for i, run in enumerate(settings.carry):
            with under("beacons", "carry", i):
                self._carry(Path(run))

    def begin(self, base_error: float) -> None:
        """From now on candidates may become beacons."""
        self._base_error = base_error

    def qualities(
        self, candidates: Sequence[Bits], done: Callable[[Bits, Quality | None], None] | None = None
    ) -> list[Quality | None]:
        """As `Evaluator.qualities`; candidates that were scored before keep their score. One whose evaluation killed
        workers, with whichever parameters, is set aside."""
        plain = super().qualities(candidates, done if self._base_error is None else None)
        if self._base_error is None:
            return plain
        fresh: dict[str, tuple[Bits, Quality | None]] = {}
        for bits, quality in zip(candidates, plain, strict=True):
            name = name_of(bits)
            if name not in self._scored and name not in fresh:
                fresh[name] = (bits, quality)
                if quality is not None and self._is_worth_it(bits, quality):
                    self.beacons.append(self._made(bits))
        for near in [None, *self.beacons]:
            members = [(b, q) for b, q in fresh.values() if q is not None and self._nearest(b)[1] is near]
            found: list[Quality | None] = [q for _, q in members]
            if near is not None:
                found = self._evaluator(near).qualities([b for b, _ in members])
            for (bits, quality), other in zip(members, found, strict=True):
                if near is not None and other is not None:
                    better = other.error < quality.error
                    other = Quality(other.error, other.error_plain, near.name, quality.error) if better else quality
                self._scored[name_of(bits)] = other
        self._scored |= {name: None for name, (_, quality) in fresh.items() if quality is None}
        for bits in candidates:
            if done:
                done(bits, self._scored[name_of(bits)])
        return [self._scored[name_of(bits)] for bits in candidates]

    def known_quality(self, bits: Bits) -> Quality | None:
        """What `qualities` returned for a candidate before, or None."""
        name = name_of(bits)
        return self._scored[name] if name in self._scored else super().known_quality(bits)

    def was_set_aside(self, bits: Bits) -> bool:
        """See `Evaluator.was_set_aside`."""
        name = name_of(bits)
        return self._scored[name] is None if name in self._scored else super().was_set_aside(bits)

    @property
    def evaluated(self) -> int:
        """Model evaluations computed here, with original and retrained parameters."""
        return super().evaluated + sum(evaluator.evaluated for evaluator in self._evaluators.values())

    def _nearest(self, bits: Bits) -> tuple[float, Beacon | None]:
        """Distance and beacon; None is the original model."""
        original = sum(log2(BASE_BITS) - log2(weight) for weight, _ in bits.values())
        nearest: tuple[float, Beacon | None] = (original, None)
        for beacon in self.beacons:
            far = distance(bits, beacon.bits)
            if far < nearest[0]:
                nearest = (far, beacon)
        return nearest

    def _is_worth_it(self, bits: Bits, quality: Quality) -> bool:
        s = self.settings
        assert self._base_error is not None
        increase = quality.error - self._base_error
        if len(self.beacons) >= s.most or not s.above <= increase <= s.below:
            return False
        if s.minimum_speedup is not None and (self.cost(bits).mohaq_speedup or 0.0) < s.minimum_speedup:
            return False
        return self._nearest(bits)[0] > s.threshold

    def _made(self, bits: Bits) -> Beacon:
        """Retrained now, or before a kill."""
        settings, training = {key: getattr(self.settings, key) for key in TRAINING}, self._training
        comes_from = {
            "bits": {site: list(pair) for site, pair in bits.items()}, "of": self.model.digest,
            "data": self.model.data_digest, "code": retraining_code_of(self.model).digest(), **settings,
        }  # fmt: skip
        folder = self._folder / hashlib.sha256(json.dumps(comes_from).encode()).hexdigest()[:12]
        model = self._model.retrained(
            bits, folder, **settings, on_step=(lambda step: training(bits, step)) if training else None
        )
        content = {**comes_from, "digest": model.digest, "folder": folder.name}
        write_whole(folder / DESCRIPTION, (json.dumps(content, indent=1) + "\n").encode())
        return Beacon(bits, model, folder)

    def _carry(self, run: Path) -> None:
        for path in _descriptions(run):
            content = _described(path)
            if content["of"] != self.model.digest:
                raise InputError(f"{path}: a beacon of another model")
            bits = {site: (int(pair[0]), int(pair[1])) for site, pair in content["bits"].items()}
            model = self._model.retrained_before(path.parent)
            if model.digest != content["digest"]:
                raise InputError(f"{path}: its parameters were changed: the digest differs")
            self.beacons.append(Beacon(bits, model, path.parent))

    def _evaluator(self, beacon: Beacon) -> Evaluator:
        if beacon.name not in self._evaluators:
            source = Source.of(beacon.model, RetrainedBefore(self.source, beacon.folder.resolve()))
            self._evaluators[beacon.name] = Evaluator(
                beacon.model, self.arch, self.steps, self.ledger, self.executor, source
            )
        return self._evaluators[beacon.name]
