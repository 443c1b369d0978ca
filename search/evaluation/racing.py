"""`fidelity`: candidates are evaluated on a growing share of the utterances, and let go as soon as it is sure enough
that they are dominated, or over the limit of error.

A race (Maron and Moore, NIPS 1993): after each share it is asked what error a candidate has on all utterances, paired
by utterance with that which errs most like it of those that were evaluated on all; and whether it is below the errors
of those that cost at most as much. What is left after the last share is evaluated on the
rest, so whatever is on a front was evaluated on all. Who is let go follows from what a search asked for and in what
order, whatever the ledger knows beyond: a search that is resumed comes to the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.sites.candidate import Bits, name_of
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.worker import Measured, OnUtterances, Source
from search.evaluation.model import HasUtterances
from search.evaluation.progress import OnQuality
from search.evaluation.quality import Quality, Unknown, figures_of
from search.evaluation.race_shares import SeenShare, drawn_shares
from search.objectives import Floats, Objective
from search.objectives.built_in import ERROR_PLAIN
from search.objectives.objective import minimised_values
from search.settings.fidelity_settings import FidelitySettings
from simulators.inputs.source_locations import KeyedError


@dataclass(frozen=True)
class Rivals:
    """K candidates of which all utterances are known."""

    edits: Floats
    """(K, U)"""
    errors: Floats
    """(K,) Percent: the error that is minimised."""
    costs: Floats
    """(K, other objectives) Minimised."""
    on_offer: NDArray[np.bool_]
    """(K,) Whether they were asked for and are within all limits, so that they may dominate."""


class RacingEvaluator(Evaluator):
    """An evaluator whose candidates race. Those that are asked for before `begin` are evaluated on all utterances."""

    def __init__(self, original: Evaluator, settings: FidelitySettings, objectives: Sequence[Objective], seed: int):
        """Otherwise as the original one. Raises KeyedError for a model whose errors are not counted by utterance, or of
        too few of them."""
        super().__init__(
            original.model, original.arch, original.steps, original.ledger, original.executor, original.source
        )
        model = original.model
        if not isinstance(model, HasUtterances):
            raise KeyedError(("fidelity",), "this model cannot be evaluated on some of its utterances alone")
        self._scored, self._confidence = model.scored, settings.confidence
        self._plain = ERROR_PLAIN in objectives
        self._others = [objective for objective in objectives if not objective.needs_error]
        self._seen, self._parts = list[SeenShare](), list[Evaluator]()
        self._positions = drawn_shares(model.scored, settings.shares, seed)
        for i, positions in enumerate(self._positions):
            seen = np.sort(np.concatenate([*self._positions[: i + 1]]))
            self._seen.append(SeenShare(model.scored, seen, seed))
            self._parts.append(self._part(model, positions))
        self._limit: float | None = None
        self._begun = False
        self._whole: dict[str, Bits] = {}
        """Candidates of which all utterances were evaluated, by name."""
        self._asked: set[str] = set()
        """Names of candidates that were asked for since the races began."""
        self._let_go: dict[str, Quality | Unknown] = {}

    def _part(self, model: HasUtterances, positions: tuple[int, ...]) -> Evaluator:
        """What evaluates the utterances at these positions."""
        on_part = model.on_utterances(positions)
        source = Source.of(on_part, OnUtterances(self.source, positions))
        part = Evaluator(on_part, self.arch, self.steps, self.ledger, self.executor, source)
        part.share = len(positions) / len(self._scored.reference_phones)
        return part

    def begin(self, limit: float | None) -> None:
        """From now on candidates race; `limit` is the largest feasible error in percent."""
        self._begun, self._limit = True, limit

    def recognition(self) -> None:
        """None: how far a candidate comes follows from what is known before its generation."""
        return None

    @property
    def evaluated(self) -> int:
        """Candidates that were evaluated here, on all utterances or some, as opposed to found in the ledger."""
        return super().evaluated + self._parts[0].evaluated

    def qualities(self, candidates: Sequence[Bits], done: OnQuality | None = None) -> list[Quality | None]:
        """The qualities that `Evaluator.qualities` gives; of candidates that were let go, what is expected of all
        utterances, with the share of them that was evaluated."""
        by_name = {name_of(bits): bits for bits in candidates}
        if not self._begun:
            found = super().qualities(candidates, done)
            self._whole |= {
                name: bits for name, bits in by_name.items() if super(RacingEvaluator, self).known_quality(bits)
            }
            return found
        self._asked |= by_name.keys()
        fresh = {n: bits for n, bits in by_name.items() if n not in self._whole and n not in self._let_go}
        self._race(fresh, done)
        if done:
            for name, bits in by_name.items():
                if name not in fresh:
                    done(bits, self._whole_quality(name) if name in self._whole else self._let_go[name])
        return [self.known_quality(bits) for bits in candidates]

    def known_quality(self, bits: Bits) -> Quality | None:
        """What `qualities` returned for a candidate before, or None."""
        let_go = self._let_go.get(name_of(bits))
        if let_go is not None:
            return let_go if isinstance(let_go, Quality) else None
        return super().known_quality(bits)

    def why_unknown(self, bits: Bits) -> Unknown | None:
        """Why a candidate that was evaluated has no quality; None where it has one, or was not evaluated."""
        let_go = self._let_go.get(name_of(bits))
        return let_go if isinstance(let_go, Unknown) else super().why_unknown(bits) if let_go is None else None

    def _race(self, racing: dict[str, Bits], done: OnQuality | None) -> None:
        """Evaluate candidates, by name, share by share. Those that come through are in `_whole` then, others in
        `_let_go`."""
        rivals, left = self._rivals(), dict(racing)
        costs = dict(zip(racing, self._cost_values(list(racing.values())), strict=True))
        edits = {name: np.zeros(len(self._scored.reference_phones)) for name in racing}
        for number, (seen, positions) in enumerate(zip(self._seen, self._positions, strict=True)):
            for name, found in self._edits_on(number, left).items():
                verdict: Quality | Unknown | None = None
                if isinstance(found, Unknown):
                    verdict = found
                else:
                    edits[name][[*positions]] = found
                    if seen is not self._seen[-1]:
                        verdict = self._verdict(seen, edits[name][seen.seen], costs[name], rivals)
                if verdict is not None:
                    self._let_go[name] = verdict
                    bits = left.pop(name)
                    if done:
                        done(bits, verdict)
        for name, bits in left.items():
            self._came_through(name, edits[name])
            self._whole[name] = bits
            if done:
                done(bits, self._whole_quality(name))

    def _edits_on(self, number: int, left: Mapping[str, Bits]) -> dict[str, Sequence[int] | Unknown]:
        """Edits of candidates, by name, of the utterances that a share adds: of what the ledger knows on all, these."""
        part, found = self._parts[number], dict[str, Sequence[int] | Unknown]()
        for name in left:
            if self.is_known(name):
                known = self._qualities[name]
                found[name] = known if isinstance(known, Unknown) else [known.edits[i] for i in self._positions[number]]
        missing = {name: bits for name, bits in left.items() if name not in found}
        for (name, bits), quality in zip(missing.items(), part.qualities(list(missing.values())), strict=True):
            found[name] = quality.edits if quality else part.why_unknown(bits) or Unknown.NO_NUMBER
        return found

    def _rivals(self) -> Rivals:
        """What candidates are held against now."""
        qualities = [self._whole_quality(name) for name in self._whole]
        edits = np.array([quality.edits for quality in qualities], np.float64)
        within = [self._limit is None or quality.error <= self._limit for quality in qualities]
        return Rivals(
            edits.reshape(len(qualities), len(self._scored.reference_phones)),
            np.array([quality.error_plain if self._plain else quality.error for quality in qualities]),
            self._cost_values(list(self._whole.values())),
            np.array([name in self._asked for name in self._whole], np.bool_) & np.array(within, np.bool_),
        )

    def _whole_quality(self, name: str) -> Quality:
        quality = self._qualities[name]
        assert isinstance(quality, Quality)
        return quality

    def _cost_values(self, candidates: Sequence[Bits]) -> Floats:
        """(N, objectives but the error) What candidates cost, minimised."""
        if not self._others or not candidates:
            return np.zeros((len(candidates), len(self._others)))
        nothing = [None] * len(candidates)
        return minimised_values(self._others, figures_of(nothing, self.costs(candidates), nothing))

    def _verdict(self, seen: SeenShare, edits: Floats, costs: Floats, rivals: Rivals) -> Quality | None:
        """What is expected of a candidate with these edits (S,) and costs (objectives,), if it is let go; None where it
        goes on. With the error that is expected it is dominated by what it was let go for, or over the limit."""
        if not len(rivals.errors):
            return None
        alike = int(np.abs(edits - rivals.edits[:, seen.seen]).sum(1).argmin())
        worst, plain = seen.expected(edits, rivals.edits[alike])
        minimised, edit = plain if self._plain else worst, 100.0 / float(self._scored.reference_phones.sum())
        no_dearer = rivals.on_offer & (rivals.costs <= costs).all(1)
        if no_dearer.any():
            equal = (rivals.costs[no_dearer] == costs).all(1)  # only fewer errors dominate then
            least = float((rivals.errors[no_dearer] + np.where(equal, edit, 0.0)).min())
            if (minimised >= least - edit / 2).mean() >= self._confidence:
                error, all_speakers = float(worst.mean()), float(plain.mean())
                if self._plain:
                    return Quality(error, max(all_speakers, least), share=seen.share)
                return Quality(max(error, least), all_speakers, share=seen.share)
        if self._limit is not None and (worst > self._limit).mean() >= self._confidence:
            return Quality(max(float(worst.mean()), self._limit + edit), float(plain.mean()), share=seen.share)
        return None

    def _came_through(self, name: str, edits: Floats) -> None:
        """Record the error on all utterances, which took the seconds that are recorded of their parts."""
        if self.is_known(name):
            return
        groups, phones = self._scored.subset_of, self._scored.reference_phones
        worst = max(100.0 * int(edits[groups == g].sum()) / int(phones[groups == g].sum()) for g in np.unique(groups))
        plain = 100.0 * int(edits.sum()) / int(phones.sum())
        counts = tuple(int(count) for count in edits)
        self.ledger.write_error(self.errors_of, name, Measured(worst, plain, counts)._asdict(), 0.0)
        self._qualities[name] = Quality(worst, plain, edits=counts)
