"""A trained recogniser: the phone error rate of any candidate on real utterances, and the trace of what it computes.

model = load_model("sru")
model.evaluate({"L0": (8, 8), "P1": (4, 8), …}).error_max
model.trace(bits) → simulators.Trace
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from quant.arithmetic.clipping import Scheme
from quant.arithmetic.delta import Delta
from quant.arithmetic.glibc_memory import keep_freed_memory
from quant.arithmetic.integer import QuantizedArithmetic, QuantizedWeights
from quant.arithmetic.protocol import Arithmetic, FloatArithmetic
from quant.arithmetic.reference import IntegerArithmetic
from quant.evaluation.batches import Batch, in_threads, pack, plan
from quant.evaluation.code import RECOGNISER, RETRAINING
from quant.evaluation.prefix_cache import PrefixCache, logits_of
from quant.evaluation.rates import DeltaResult, ErrorRate, ReferenceCheck
from quant.evaluation.work_estimate import Part, parts_of
from quant.files.checkpoint import Checkpoint, load_checkpoint
from quant.networks.registry import Network
from quant.sites.candidate import Bits, check_candidate, parse_bits
from quant.sites.site import Site
from quant.speech.corpus import load_corpus
from quant.speech.embedded import embedded_corpus
from quant.speech.features import Features, load_features
from quant.speech.scoring import Score, score, speaker_subsets
from quant.training.retraining import RESULT, retrain
from simulators import Matmul, Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.inputs.shipped import data_folder
from simulators.inputs.source_locations import KeyedError

Value = TypeVar("Value")

SUBSETS = 4
MAX_STEPS = 1 << 20
"""Frames of a trace: nearly three hours."""


@dataclass(frozen=True)
class _Split:
    """Normalised utterances of a split, packed once, with what they are scored against."""

    features: Features
    batches: tuple[Batch, ...]
    subset_of: np.ndarray


class Recogniser:
    """A checkpoint and a corpus. Data are read (or, for the embedded corpus, synthesised) when first needed."""

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
        `skipped`; `every`: evaluate on every so-manyth utterance only."""
        self._every = every
        self.skipped: list[str] = []
        self._skip_bad = skip_bad
        self.checkpoint = checkpoint
        self._corpus_root = corpus_root
        self._utterances: dict[str, Features] = {}
        self._splits: dict[str, _Split] = {}
        self.weights = weights or QuantizedWeights(checkpoint.network, scheme)
        self._cache = PrefixCache()
        keep_freed_memory()

    @property
    def network(self) -> Network:
        return self.checkpoint.network

    @property
    def sites(self) -> tuple[Site, ...]:
        return self.network.sites

    @property
    def code(self) -> Code:
        """What decides its errors."""
        return RECOGNISER

    @property
    def retraining_code(self) -> Code:
        """What decides what `retrained` comes to."""
        return RETRAINING

    @property
    def digest(self) -> str:
        """sha256 of the checkpoint file, and the clipping where it is not the default: whose errors these are."""
        return ":".join(filter(None, (self.checkpoint.digest, self.weights.scheme.name)))

    @property
    def data_digest(self) -> str:
        """sha256 of the dev split's audio and labels."""
        return self._split("dev").features.digest

    @property
    def unit(self) -> str:
        """What its error rate counts: "phone" or "digit"."""
        return self.checkpoint.decoder.units.unit

    def forget(self) -> None:
        """Drop the results that evaluations share."""
        self._cache.clear()

    def retrained(
        self,
        bits: Bits,
        folder: Path,
        *,
        epochs: int,
        learning_rate: float,
        on_step: Callable[[Any], None] | None = None,
    ) -> "Recogniser":
        """This model trained on for a candidate, in `folder`; continued there, or found there, if it was begun."""
        if not (folder / RESULT).is_file():
            retrain(
                self.checkpoint, bits, self.utterances("train"), folder, epochs=epochs, learning_rate=learning_rate,
                scheme=self.weights.scheme, resume=True, on_step=on_step,
            )  # fmt: skip
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> "Recogniser":
        """What `retrained` left in a folder. Raises InputError if it left nothing."""
        model = Recogniser(load_checkpoint(folder / RESULT), self._corpus_root, self.weights.scheme)
        model._cache = PrefixCache(self._cache.capacity_bytes // 8)  # there are several of them
        model._splits, model._utterances = self._splits, self._utterances  # its statistics are this one's
        return model

    def utterances(self, split: str) -> Features:
        """Normalised features, labels and phones of a split."""
        if split not in self._utterances:
            root = self._corpus_root or self._embedded_root(split)
            corpus = load_corpus(root, split, self._skip_bad)
            self.skipped += corpus.skipped
            features = load_features(corpus)
            if features.units != self.checkpoint.decoder.units:
                ours, theirs = self.checkpoint.decoder.units.name, features.units.name
                raise InputError(f"{root}: a corpus of {theirs}: {self.checkpoint.name} recognises {ours}")
            features = features.normalised(self.checkpoint.statistics)
            self._utterances[split] = features if split == "train" else features.every(self._every)
        return self._utterances[split]

    def parse_bits(self, text: str) -> dict[str, tuple[int, int]]:
        """See `quant.sites.candidate.parse_bits`."""
        return parse_bits(text, self.sites)

    def evaluate(self, bits: Bits | None, split: str = "dev") -> ErrorRate:
        """Phone error rate of a candidate on a split ("dev" or "test"); without bits, of the float model."""
        if bits is not None:
            return self.evaluate_population([bits], split)[0]
        return self.error_rate(self.checkpoint.decoder.decode(self.log_posteriors(bits, split)), split)

    def evaluate_population(self, candidates: Sequence[Bits], split: str = "dev") -> list[ErrorRate]:
        """Phone error rates of several candidates: as `evaluate` gives, what they share being computed once."""
        for bits in candidates:
            check_candidate(bits, self.sites)
            self.weights.prepare(bits)
        prepared = self._split(split)

        def decoded(number: int, batch: Batch) -> list[list[list[int]]]:
            logits = logits_of(self.network, batch, (split, number), candidates, self._arithmetic, self._cache)
            return [self.checkpoint.decoder.decode(_log_posteriors(y, batch)) for y in logits]

        by_candidate = zip(*in_threads(decoded, prepared.batches, integer_products=True), strict=True)
        return [self.error_rate(_in_order(prepared.batches, found), split) for found in by_candidate]

    def parts(self, bits: Bits) -> list[Part]:
        """Of a candidate's evaluation, with the work that each is."""
        return parts_of(self.network, bits)

    @torch.inference_mode()
    def evaluate_reference(self, bits: Bits, utterances: int, split: str = "dev") -> "ReferenceCheck":
        """The first utterances of a split by the integer-only reference and by the fast path."""
        check_candidate(bits, self.sites)
        features = self.utterances(split)
        positions = range(min(utterances, len(features)))
        batch = pack(features.mats, None, positions)
        reference = IntegerArithmetic(bits, self.weights, self.checkpoint.calibration)
        exact, fast = (
            _log_posteriors(self.network(batch.features, batch.lengths, arithmetic), batch)
            for arithmetic in (reference, self._arithmetic(bits))
        )
        rates = []
        for found in (exact, fast):
            hypotheses = self.checkpoint.decoder.decode(found)
            rates.append(
                sum((score(features.phones[i], h) for i, h in zip(positions, hypotheses, strict=True)), Score())
            )
        agreeing = np.concatenate([a.argmax(1) == b.argmax(1) for a, b in zip(exact, fast, strict=True)])
        return ReferenceCheck(
            rates[0].error_rate, rates[1].error_rate, float(agreeing.mean()), dict(reference.accumulator_bits)
        )

    def error_rate(self, hypotheses: Sequence[Sequence[int]], split: str) -> ErrorRate:
        """Phone error rate of decoded utterances, in the order of the corpus."""
        prepared = self._split(split)
        units = prepared.features.units
        scores = [
            score(units.scored(r), units.scored(h)) for r, h in zip(prepared.features.phones, hypotheses, strict=True)
        ]
        total = sum(scores, Score())
        subsets = [
            sum((s for s, subset in zip(scores, prepared.subset_of, strict=True) if subset == k), Score())
            for k in range(SUBSETS)
        ]
        rates = tuple(subset.error_rate for subset in subsets)
        return ErrorRate(
            max(rates), total.error_rate, rates, total.substitutions, total.insertions, total.deletions, total.reference
        )

    def log_posteriors(self, bits: Bits | None, split: str) -> list[np.ndarray]:
        """Natural logarithms of the state posteriors (T, states), float32, an array an utterance in the order of the
        corpus."""
        return self.log_posteriors_with(FloatArithmetic() if bits is None else self._arithmetic(bits), split)

    def log_posteriors_with(self, arithmetic: Arithmetic, split: str) -> list[np.ndarray]:
        """As `log_posteriors`, in an arithmetic of the caller's."""
        prepared = self._split(split)

        def work(_: int, batch: Batch) -> list[np.ndarray]:
            return _log_posteriors(self.network(batch.features, batch.lengths, arithmetic), batch)

        quantized = isinstance(arithmetic, QuantizedArithmetic)
        return _in_order(prepared.batches, in_threads(work, prepared.batches, integer_products=quantized))

    def evaluate_delta(self, bits: Bits, thresholds: Mapping[str, int], split: str = "dev") -> "DeltaResult":
        """As `evaluate`, of the delta network with these thresholds, in units of the sites' activation codes. Sites
        that are not named transmit everything."""
        check_candidate(bits, self.sites)
        _check_thresholds(thresholds, self.sites)
        self.weights.prepare(bits)
        prepared = self._split(split)

        def work(_: int, batch: Batch) -> tuple[list[list[int]], Delta]:
            delta = Delta(thresholds, batch.lengths)
            found = _log_posteriors(self.network(batch.features, batch.lengths, self._arithmetic(bits, delta)), batch)
            return self.checkpoint.decoder.decode(found), delta

        found, deltas = zip(*in_threads(work, prepared.batches, integer_products=True), strict=True)
        shares: dict[str, list[np.ndarray]] = {site: [] for site in thresholds}
        for delta in deltas:
            for site in thresholds:
                directions = delta.active[site].shape[1]
                utterances = range(len(delta.lengths))
                shares[site] += [delta.share(site, b, d) for b in utterances for d in range(directions)]
        active = {site: float(np.concatenate(values).mean()) for site, values in shares.items()}
        macs = sum(site.weights for site in self.sites)
        done = sum(site.weights * active.get(site.name, 1.0) for site in self.sites)
        rate = self.error_rate(_in_order(prepared.batches, found), split)
        return DeltaResult(rate, active, 1.0 - done / macs)

    @torch.inference_mode()
    def trace_delta(self, bits: Bits, thresholds: Mapping[str, int], utterance: int = 0, split: str = "dev") -> Trace:
        """The trace of one utterance of a split, with the share of inputs that each product transmits at each of its
        steps."""
        check_candidate(bits, self.sites)
        _check_thresholds(thresholds, self.sites)
        features = self._split(split).features
        if not 0 <= utterance < len(features):
            raise InputError(f"utterance {utterance}: {split} has {len(features)}, counted from 0")
        batch = pack(features.mats, None, [utterance])
        delta = Delta(thresholds, batch.lengths)
        self.network(batch.features, batch.lengths, self._arithmetic(bits, delta))
        plain = self.trace(bits, int(batch.lengths[0]))
        layers = []
        for layer in plain.layers:
            site, direction = (
                (layer.name, 0) if layer.name in thresholds else (layer.name[:-1], "fb".find(layer.name[-1]))
            )
            if isinstance(layer, Matmul) and site in thresholds:
                layer = layer.but(active=tuple(delta.share(site, 0, direction).tolist()))
            layers.append(layer)
        return Trace(name=f"{plain.name}-delta", steps=plain.steps, layers=tuple(layers))

    def trace(self, bits: Bits, steps: int = 300) -> Trace:
        """What a candidate computes for an utterance of `steps` frames, for the simulators."""
        check_candidate(bits, self.sites)
        if not 1 <= steps <= MAX_STEPS:
            raise InputError(f"steps: {steps}: it must lie between 1 and {MAX_STEPS}")
        return Trace(name=self.checkpoint.name, steps=steps, layers=tuple(self.network.trace_layers(bits, steps)))

    def _arithmetic(self, bits: Bits, delta: Delta | None = None) -> QuantizedArithmetic:
        return QuantizedArithmetic(bits, self.weights, self.checkpoint.calibration, delta)

    def _split(self, split: str) -> _Split:
        if split not in self._splits:
            features = self.utterances(split)
            lengths = [len(mat) for mat in features.mats]
            # A batch for every thread at least; 5 % are for padding.
            share = int(1.05 * sum(lengths) / torch.get_num_threads())
            batches = tuple(
                pack(features.mats, None, positions)
                for positions in plan(lengths, min(self.network.frames_per_batch, share))
            )
            # Fewer speakers than groups: a group is of utterances then.
            of = features.speakers if len(set(features.speakers)) >= SUBSETS else features.ids
            subset_of = speaker_subsets(of, [len(p) for p in features.phones], SUBSETS)
            self._check_groups(split, features, subset_of)
            self._splits[split] = _Split(features, batches, subset_of)
        return self._splits[split]

    def _check_groups(self, split: str, features: Features, subset_of: np.ndarray) -> None:
        """An error rate is over phones, so each group needs some."""
        phones = np.array([len(features.units.scored(p)) for p in features.phones])
        if min(np.bincount(subset_of, phones, SUBSETS)) == 0:
            count = f"{len(features)} utterance{'s' * (len(features) != 1)}"
            few = f"{count} of {split}, too few for {SUBSETS} groups with something said in each"
            if self._every > 1 and split != "train":
                raise KeyedError(("every",), f"{self._every}: it leaves {few}")
            raise InputError(few)

    def _embedded_root(self, split: str) -> Path:
        size = self.checkpoint.record["corpus_size"]
        if size is None:
            raise InputError(
                f"{self.checkpoint.name}: trained on a corpus of its own: say where it lies "
                "(--corpus timit --root FOLDER, or corpus_root in an experiment)"
            )
        return embedded_corpus([split], size=size)


def _check_thresholds(thresholds: Mapping[str, int], sites: Sequence[Site]) -> None:
    names = [site.name for site in sites]
    for site, threshold in thresholds.items():
        if site not in names:
            raise InputError(f"threshold of {site}: unknown site: the sites are {', '.join(names)}")
        if threshold < 0:
            raise InputError(f"threshold of {site}: {threshold}: it must be at least 0")


def _in_order(batches: Sequence[Batch], found: Iterable[Sequence[Value]]) -> list[Value]:
    """What was found for the utterances of each batch, in the order of the corpus."""
    by_position = {
        position: value
        for batch, values in zip(batches, found, strict=True)
        for position, value in zip(batch.positions, values, strict=True)
    }
    return [by_position[i] for i in range(len(by_position))]


def _log_posteriors(logits: torch.Tensor, batch: Batch) -> list[np.ndarray]:
    """Logits (T, B, states) → (T, states) of each utterance."""
    posteriors = torch.log_softmax(logits, dim=-1).transpose(0, 1).contiguous().numpy()
    return [posteriors[row, :length] for row, length in enumerate(batch.lengths.tolist())]


def load_model(
    name: str | Path,
    corpus_root: Path | None = None,
    scheme: Scheme | None = None,
    skip_bad: bool = False,
    every: int = 1,
) -> Recogniser:
    """A shipped recogniser by its name ("sru", "lstm", "gru", "ligru"), or one from a .safetensors file.

    `corpus_root` is a corpus in TIMIT's layout to evaluate on; without it, the embedded corpus. The rest: see
    `Recogniser`. Raises InputError for
    an unknown name or a file that is not a checkpoint.
    """
    return Recogniser(load_checkpoint(find_checkpoint(str(name))), corpus_root, scheme, skip_bad=skip_bad, every=every)


def find_checkpoint(name: str) -> Path:
    """A file that exists, or a shipped checkpoint: beside the packages in a checkout, inside this package when
    installed."""
    if Path(name).suffix == ".safetensors" or Path(name).is_file():
        return Path(name)
    folder = data_folder("checkpoints", Path(__file__).resolve().parents[1])
    shipped = sorted(path.stem for path in folder.glob("*.safetensors"))
    if name not in shipped:
        raise InputError(
            f"{name}: no such model: neither a .safetensors file nor a shipped name ({', '.join(shipped)})"
        )
    return folder / f"{name}.safetensors"
