"""Candidates that are retrained each before it is evaluated, as in an episode of HAQ (Wang et al. 2019), with what
beacons are retrained with."""

from collections.abc import Sequence
from pathlib import Path

from quant.sites.candidate import Bits, name_of
from search.evaluation.beacons import Beacon, BeaconEvaluator
from search.evaluation.evaluator import Evaluator
from search.evaluation.progress import OnQuality
from search.evaluation.quality import Quality, Unknown
from search.settings.beacon_settings import BeaconSettings


class FinetuneEvaluator(BeaconEvaluator):
    """An evaluator whose qualities are those with parameters that were retrained for the candidate itself: each is the
    beacon of itself alone. Before `begin` candidates are evaluated as they are, which the baselines are."""

    key = "finetune"

    def __init__(self, original: Evaluator, settings: BeaconSettings, folder: Path, display: object = None):
        super().__init__(original, settings, folder, display)
        self._retrained: dict[str, tuple[Bits, Path]] = {}
        """Candidate and folder of what was retrained, by its name. Parameters are not kept in memory."""
        self._with_retrained = 0

    def qualities(self, candidates: Sequence[Bits], done: OnQuality | None = None) -> list[Quality | None]:
        """The quality of each candidate after its retraining."""
        if self._base_error is None:
            return super().qualities(candidates, done)
        for bits in candidates:
            name = name_of(bits)
            if name not in self._scored:
                self._scored[name] = self._finetuned(bits)
            if done:
                done(bits, self._scored[name])
        return [self.known_quality(bits) for bits in candidates]

    def with_parameters(self, beacon: str) -> Evaluator:
        """See `Evaluator.with_parameters`: of a candidate that was retrained."""
        if not beacon:
            return super().with_parameters(beacon)
        bits, folder = self._retrained[beacon]
        return self._evaluator_of(Beacon(bits, self._retrainable.retrained_before(folder), folder))

    @property
    def evaluated(self) -> int:
        """Model evaluations computed here, with original and retrained parameters."""
        return super().evaluated + self._with_retrained

    def _finetuned(self, bits: Bits) -> Quality | Unknown:
        beacon = self._trained(bits)
        self._retrained[beacon.name] = bits, beacon.folder
        evaluator = self._evaluator_of(beacon)
        (quality,) = evaluator.qualities([bits])
        self._with_retrained += evaluator.evaluated
        if quality is None:
            return evaluator.why_unknown(bits) or Unknown.KILLED
        return Quality(quality.error, quality.error_plain, beacon.name, edits=quality.edits)
