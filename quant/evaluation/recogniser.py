"""A trained recogniser: the phone error rate of any candidate on real utterances, and the trace of what it computes.

model = load_model("sru")
model.evaluate({"L0": (8, 8), "P1": (4, 8), …}).error_max
model.trace(bits) → simulators.Trace
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from quant.arithmetic.clipping import Scheme
from quant.arithmetic.delta import Delta, Masks
from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.glibc_memory import keep_freed_memory
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import IntegerArithmetic
from quant.arithmetic.protocol import Arithmetic
from quant.arithmetic.weights import QuantizedWeights
from quant.evaluation.code import RECOGNISER, RETRAINING, cell_code
from quant.evaluation.delta_activity import (
    check_thresholds,
    eliminated_share,
    expected_activity,
    transmitted_shares,
    with_activity,
)
from quant.evaluation.prefix_cache import PrefixCache, logits_of
from quant.evaluation.rates import DeltaResult, ErrorRate, ReferenceCheck, ScoredUtterances
from quant.evaluation.speech_splits import SpeechSplits
from quant.evaluation.threads import in_threads
from quant.evaluation.work_estimate import Part, parts_of
from quant.files.checkpoint import Checkpoint, load_checkpoint
from quant.networks.network import Network
from quant.sites.candidate import BIT_WIDTHS, Bits, check_candidate, parse_bits, refuse_thresholds
from quant.sites.delta_pair import in_codes, thresholds_in
from quant.sites.site import Site
from quant.speech.audio import SAMPLE_RATE
from quant.speech.batches import UtteranceBatch, pack
from quant.speech.features import HOP_SAMPLES, WINDOW_SAMPLES, Features, OnUtterance
from quant.speech.scoring import Score, score
from quant.training.loop import TrainingStep
from quant.training.retraining import RESULT, Evaluates, retrain
from simulators import Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.workloads.trace import Chunk

Kind = TypeVar("Kind", bound=Arithmetic)

MAX_STEPS = 1 << 20
"""Frames of a trace: nearly three hours."""


class Recogniser:
    """A checkpoint and a corpus. Data are read (or, for the embedded corpus, synthesised) when first needed."""

    of_codebooks = False
    """Whether its weights are codes of codebooks."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        corpus_root: Path | None = None,
        scheme: Scheme | None = None,
        weights: QuantizedWeights | None = None,
        skip_bad: bool = False,
        every: int = 1,
    ):
        """`scheme`: where weights and activations are clipped, MOHAQ's least mean squared error by default; `weights`
        that are quantized already; `skip_bad`: leave out utterances that cannot be used, and list them in
        `skipped`; `every`: evaluate on every so-manyth utterance only. Raises InputError for a scheme that is another
        class's."""
        self.checkpoint = checkpoint
        self.weights = weights or QuantizedWeights(checkpoint.network, scheme)
        if self.weights.scheme.has_codebooks != self.of_codebooks:
            raise InputError("a recogniser's scheme: `load_model` makes the one of codebooks, and the one without them")
        self.split = "dev"
        """What it is evaluated on where nothing else is said."""
        self._speech = SpeechSplits(checkpoint, corpus_root, skip_bad, every)
        self._cache = PrefixCache()
        self._mine = object()
        """Tells its results in a cache apart from those of other models."""
        keep_freed_memory()

    @property
    def network(self) -> Network:
        """The network of the checkpoint, in float32."""
        return self.checkpoint.network

    @property
    def bit_widths(self) -> tuple[int, ...]:
        """Widths in bits that weights and activations may have."""
        return BIT_WIDTHS

    @property
    def sites(self) -> tuple[Site, ...]:
        """What gets bits, in the order of the computation."""
        return self.network.sites

    @property
    def skipped(self) -> list[str]:
        """What was wrong with each utterance that was left out."""
        return self._speech.skipped

    @property
    def code(self) -> Code:
        """What decides its errors."""
        return RECOGNISER | cell_code(self.network.cell)

    @property
    def retraining_code(self) -> Code:
        """What decides what `retrained` comes to."""
        return RETRAINING | cell_code(self.network.cell)

    @property
    def digest(self) -> str:
        """sha256 of the checkpoint file, and the clipping where it is not the default: the name of its errors."""
        return ":".join(filter(None, (self.checkpoint.digest, self.weights.scheme.name)))

    @property
    def data_digest(self) -> str:
        """sha256 of the split's audio and labels."""
        return self._speech.packed(self.split).features.digest

    @property
    def scored(self) -> ScoredUtterances:
        """What its error rates are counted over."""
        return self._speech.packed(self.split).scored

    def on_split(self, split: str) -> "Recogniser":
        """This model evaluated on all of another split: "dev" or "test"."""
        if self.split == split and self._speech.whole is self._speech:
            return self
        model = self.sharing_speech(self.checkpoint, self.weights)
        model.split, model._speech = split, self._speech.whole
        return model

    def on_utterances(self, positions: Sequence[int]) -> "Recogniser":
        """This model evaluated on some utterances alone, given by their positions among those that it is evaluated
        on."""
        model = self.sharing_speech(self.checkpoint, self.weights)
        model.split, model._speech = self.split, self._speech.part(self.split, positions)
        return model

    @property
    def unit(self) -> str:
        """What its error rate counts: "phone" or "digit"."""
        return self.checkpoint.decoder.units.unit

    def forget(self) -> None:
        """Drop the results that evaluations share, those of other models in the same cache too."""
        self._cache.clear()

    def keep_results_with(self, other: object) -> bool:
        """Have the results that evaluations share in another model's cache, so that both together have no more memory;
        whether the other has one."""
        if not isinstance(other, Recogniser):
            return False
        self._cache = other._cache
        return True

    def sharing_speech(
        self, checkpoint: Checkpoint, weights: QuantizedWeights | None, cache_bytes: int | None = None
    ) -> "Recogniser":
        """Another recogniser on the same packed utterances, normalised with this one's statistics. Its results are in
        this one's cache, or, where they are said, in one of its own of so many bytes. Without `weights`, its own are
        clipped as this one's."""
        model = type(self)(checkpoint, self._speech.corpus_root, self.weights.scheme, weights)
        model._speech = self._speech
        model._cache = self._cache if cache_bytes is None else PrefixCache(cache_bytes)
        return model

    def retrained(
        self,
        bits: Bits,
        folder: Path,
        *,
        epochs: int,
        learning_rate: float,
        on_step: Callable[[TrainingStep], None] | None = None,
    ) -> "Recogniser":
        """This model trained on for a candidate, in `folder`; continued there, or found there, if it was begun."""
        if not (folder / RESULT).is_file():
            retrain(
                self.checkpoint, bits, self.utterances("train"), folder, self.errs_at(bits), epochs=epochs,
                learning_rate=learning_rate, scheme=self.weights.scheme, resume=True, on_step=on_step,
            )  # fmt: skip
        return self.retrained_before(folder)

    def errs_at(self, bits: Bits) -> Evaluates:
        """What says how much a candidate errs with other parameters: on what this model is evaluated on, and never on
        the test split, which nothing is chosen by."""
        model = self if self.split == "dev" else self.on_split("dev")
        return Evaluates(lambda checkpoint: model.sharing_speech(checkpoint, None).evaluate(bits), model.data_digest)

    def retrained_before(self, folder: Path) -> "Recogniser":
        """What `retrained` left in a folder. Raises InputError if it left nothing."""
        return self.sharing_speech(load_checkpoint(folder / RESULT), None)

    def utterances(self, split: str, on_utterance: OnUtterance | None = None) -> Features:
        """Normalised features, labels and phones of a split. `on_utterance` is told of features that are computed."""
        return self._speech.utterances(split, on_utterance)

    def parse_bits(self, text: str) -> dict[str, tuple[int, int]]:
        """A candidate as a user writes it: see `quant.sites.candidate.parse_bits`."""
        return parse_bits(text, self.sites)

    def check(self, bits: Bits) -> None:
        """Raise InputError for a candidate that it cannot have."""
        check_candidate(bits, self.sites)

    def evaluate(self, bits: Bits | None, split: str | None = None) -> ErrorRate:
        """Phone error rate of a candidate on a split ("dev" or "test"; its own); without bits, of the float model."""
        split = split or self.split
        if bits is not None:
            return self.evaluate_population([bits], split)[0]
        return self.error_rate(self.checkpoint.decoder.decode(self.log_posteriors(bits, split)), split)

    def evaluate_population(self, candidates: Sequence[Bits], split: str | None = None) -> list[ErrorRate]:
        """Phone error rates of several candidates: as `evaluate` gives, what they share being computed once."""
        return [rate for rate, _ in self._population(candidates, split or self.split)]

    def evaluate_deltas(self, candidates: Sequence[Bits]) -> Iterator[tuple[ErrorRate, Iterator[Trace]]]:
        """Error of candidates with thresholds as `evaluate_population` gives it, each with the traces of exactly the
        utterances that it was counted over, in their order, with masks of what was sent."""
        for bits, (rate, masks) in zip(candidates, self._population(candidates, self.split), strict=True):
            yield rate, self._traces(bits, masks)

    def _traces(self, bits: Bits, masks: Sequence[Masks]) -> Iterator[Trace]:
        packed = self._speech.packed(self.split)
        places = packed.in_order([[(n, u) for u in range(len(b.lengths))] for n, b in enumerate(packed.batches)])
        for number, utterance in places:
            yield self._with_masks(bits, packed.batches[number], masks[number], utterance)

    def _with_masks(self, bits: Bits, batch: UtteranceBatch, masks: Masks, utterance: int) -> Trace:
        steps = int(batch.lengths[utterance])
        layers = with_activity(self.network.trace_layers(bits, steps), masks, steps, utterance)
        return Trace(name=f"{self.checkpoint.name}-delta", steps=steps, layers=tuple(layers))

    def _population(self, candidates: Sequence[Bits], split: str) -> list[tuple[ErrorRate, list[Masks]]]:
        """Error of each candidate, and what of its sites with thresholds was sent, batch by batch."""
        for bits in candidates:
            self.check(bits)
            self.weights.prepare(bits)
        packed = self._speech.packed(split)

        def decoded(number: int, batch: UtteranceBatch) -> list[tuple[list[list[int]], Masks]]:
            arithmetic = partial(self._with_thresholds, batch.lengths)
            results = logits_of(self.network, batch, (self._mine, split, number), candidates, arithmetic, self._cache)
            decode = self.checkpoint.decoder.decode
            return [(decode(_log_posteriors(result.value, batch)), result.sent) for result in results]

        by_candidate = zip(*in_threads(decoded, packed.batches, integer_products=True), strict=True)
        return [
            (packed.error_rate(packed.in_order([phones for phones, _ in by_batch])), [sent for _, sent in by_batch])
            for by_batch in by_candidate
        ]

    def delta_codes(self, bits: Bits) -> dict[str, int]:
        """Thresholds in activation codes of those sites of a candidate that have one, at its widths."""
        grids = {site: self._arithmetic(bits).grid(site) for site in thresholds_in(bits)}
        return {site: in_codes(threshold, grids[site].step) for site, threshold in thresholds_in(bits).items()}

    def _with_thresholds(self, lengths: torch.Tensor, bits: Bits) -> QuantizedArithmetic:
        thresholds = self.delta_codes(bits)
        return self._arithmetic(bits, Delta(thresholds, lengths) if thresholds else None)

    def parts(self, bits: Bits) -> list[Part]:
        """The parts of a candidate's evaluation, with the work that each is."""
        return parts_of(self.network, bits)

    @torch.inference_mode()
    def evaluate_reference(self, bits: Bits, utterances: int, split: str = "dev") -> ReferenceCheck:
        """The first utterances of a split by the integer-only reference and by the fast path."""
        self.check(bits)
        refuse_thresholds(bits, "the integer-only reference is of what sends everything")
        features = self.utterances(split)
        positions = range(min(utterances, len(features)))
        batch = pack(features.mats, None, positions)
        reference = IntegerArithmetic(bits, self.weights, self.checkpoint.calibration, self.sites[0].name)
        exact, fast = (
            _log_posteriors(self.network(batch.features, batch.lengths, arithmetic), batch)
            for arithmetic in (reference, self._arithmetic(bits))
        )
        rates = []
        for log_posteriors in (exact, fast):
            hypotheses = self.checkpoint.decoder.decode(log_posteriors)
            scores = [score(features.phones[i], h) for i, h in zip(positions, hypotheses, strict=True)]
            rates.append(sum(scores, Score()).error_rate)
        agreeing = np.concatenate([a.argmax(1) == b.argmax(1) for a, b in zip(exact, fast, strict=True)])
        return ReferenceCheck(rates[0], rates[1], float(agreeing.mean()), dict(reference.accumulator_bits))

    def error_rate(self, hypotheses: Sequence[Sequence[int]], split: str) -> ErrorRate:
        """Phone error rate of decoded utterances, in the order of the corpus."""
        return self._speech.packed(split).error_rate(hypotheses)

    def log_posteriors(self, bits: Bits | None, split: str) -> list[np.ndarray]:
        """Natural logarithms of the state posteriors (T, states), float32, an array an utterance in the order of the
        corpus."""
        return self.log_posteriors_with(FloatArithmetic() if bits is None else self._arithmetic(bits), split)

    def log_posteriors_with(self, arithmetic: Arithmetic, split: str) -> list[np.ndarray]:
        """Logarithms of the state posteriors as `log_posteriors` gives them, in an arithmetic of the caller's."""
        packed = self._speech.packed(split)

        def work(_: int, batch: UtteranceBatch) -> list[np.ndarray]:
            return _log_posteriors(self.network(batch.features, batch.lengths, arithmetic), batch)

        return packed.in_order(in_threads(work, packed.batches, arithmetic.integer_products))

    def evaluate_delta(self, bits: Bits, thresholds: Mapping[str, int], split: str = "dev") -> DeltaResult:
        """Error and savings of the delta network with these thresholds, in units of the sites' activation codes. Sites
        that are not named transmit everything."""
        self.check(bits)
        refuse_thresholds(bits, "thresholds in activation codes are given beside the bits")
        check_thresholds(thresholds, self.sites)
        self.weights.prepare(bits)

        def arithmetic(batch: UtteranceBatch) -> QuantizedArithmetic:
            return self._arithmetic(bits, Delta(thresholds, batch.lengths))

        rate, batches = self.evaluate_with(arithmetic, split, integer_products=True)
        active = transmitted_shares(thresholds, [batch.delta for batch in batches if batch.delta])
        return DeltaResult(rate, active, eliminated_share(self.sites, active))

    def evaluate_with(
        self, arithmetic: Callable[[UtteranceBatch], Kind], split: str, integer_products: bool = False
    ) -> tuple[ErrorRate, list[Kind]]:
        """Error of a split in arithmetics of the caller's, one for each batch, and these."""
        packed = self._speech.packed(split)

        def work(_: int, batch: UtteranceBatch) -> tuple[list[list[int]], Kind]:
            of_batch = arithmetic(batch)
            logits = self.network(batch.features, batch.lengths, of_batch)
            return self.checkpoint.decoder.decode(_log_posteriors(logits, batch)), of_batch

        done = in_threads(work, packed.batches, integer_products)
        return packed.error_rate(packed.in_order([decoded for decoded, _ in done])), [kept for _, kept in done]

    def utterance(self, number: int, split: str) -> UtteranceBatch:
        """One utterance of a split as a batch. Raises InputError where there is no such one."""
        features = self._speech.packed(split).features
        if not 0 <= number < len(features):
            raise InputError(f"utterance {number}: {split} has {len(features)}, counted from 0")
        return pack(features.mats, None, [number])

    @torch.inference_mode()
    def trace_delta(self, bits: Bits, thresholds: Mapping[str, int], utterance: int = 0, split: str = "dev") -> Trace:
        """The trace of one utterance of a split, with masks of the inputs that each product transmits at each of its
        steps; thresholds are in activation codes."""
        self.check(bits)
        check_thresholds(thresholds, self.sites)
        batch = self.utterance(utterance, split)
        delta = Delta(thresholds, batch.lengths)
        self.network(batch.features, batch.lengths, self._arithmetic(bits, delta))
        return self._with_masks(bits, batch, delta.sent, 0)

    def mean_steps(self) -> int:
        """Frames of an utterance that it is evaluated on, on average."""
        features = self._speech.packed(self.split).features
        return max(1, round(features.frames / len(features)))

    def expected_trace(self, bits: Bits, steps: int, shares: Mapping[str, float]) -> Trace:
        """The trace of an utterance that sends so large a share of the input of each site named, evenly, at each
        step."""
        layers = tuple(expected_activity(self.network.trace_layers(bits, steps), shares))
        return Trace(name=f"{self.checkpoint.name}-expected", steps=steps, layers=layers)

    def trace_utterance(self, bits: Bits, utterance: int = 0, split: str = "dev") -> Trace:
        """The trace of one utterance of a split, with masks of what the sites that have thresholds transmit."""
        self.check(bits)
        return self.trace_delta(bits, self.delta_codes(bits), utterance, split)

    def trace(self, bits: Bits, steps: int = 300) -> Trace:
        """What a candidate computes for an utterance of `steps` frames, for the simulators."""
        self.check(bits)
        if not 1 <= steps <= MAX_STEPS:
            raise InputError(f"steps: {steps}: it must lie between 1 and {MAX_STEPS}")
        layers = tuple(traced.layer for traced in self.network.trace_layers(bits, steps))
        return Trace(name=self.checkpoint.name, steps=steps, layers=layers)

    def trace_chunk(self, bits: Bits, frames: int) -> Trace:
        """What a candidate of a causal network computes for so many frames of a stream, which come every 10 ms and are
        complete when the window of the last is. Raises InputError for a network that waits for an utterance's end."""
        if not self.network.geometry.causal:
            raise InputError(
                f"chunk: {self.checkpoint.name} is bidirectional: it begins at the end of an utterance too"
            )
        whole = self.trace(bits, frames)
        window, hop = (1e3 * samples / SAMPLE_RATE for samples in (WINDOW_SAMPLES, HOP_SAMPLES))
        chunk = Chunk(length_ms=window + (frames - 1) * hop, hop_ms=frames * hop)
        return Trace(name=whole.name, steps=frames, layers=whole.layers, chunk=chunk)

    def _arithmetic(self, bits: Bits, delta: Delta | None = None) -> QuantizedArithmetic:
        return QuantizedArithmetic(bits, self.weights, self.checkpoint.calibration, delta)


def _log_posteriors(logits: torch.Tensor, batch: UtteranceBatch) -> list[np.ndarray]:
    """Logits (T, B, states) → (T, states) of each utterance."""
    posteriors = torch.log_softmax(logits, dim=-1).transpose(0, 1).contiguous().numpy()
    return [posteriors[row, :length] for row, length in enumerate(batch.lengths.tolist())]
