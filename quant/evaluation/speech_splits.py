"""The utterances that a recogniser is evaluated on, packed into batches, with what they are scored against."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from quant.evaluation.rates import ErrorRate, ScoredUtterances
from quant.files.checkpoint import Checkpoint
from quant.speech.batches import UtteranceBatch, pack, plan
from quant.speech.corpus import load_corpus
from quant.speech.embedded import embedded_corpus
from quant.speech.features import Features, OnUtterance, load_features
from quant.speech.scoring import Score, score, speaker_subsets
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError

Value = TypeVar("Value")

SUBSETS = 4
"""Groups of speakers whose error rates are told apart."""


@dataclass(frozen=True)
class PackedSplit:
    """Normalised utterances of a split, packed once."""

    features: Features
    batches: tuple[UtteranceBatch, ...]
    subset_of: np.ndarray
    """Group of each utterance, 0 … SUBSETS - 1, in the order of the corpus."""

    def in_order(self, by_batch: Iterable[Sequence[Value]]) -> list[Value]:
        """Values of the utterances of each batch, in the order of the corpus."""
        by_position = {
            position: value
            for batch, values in zip(self.batches, by_batch, strict=True)
            for position, value in zip(batch.positions, values, strict=True)
        }
        return [by_position[i] for i in range(len(by_position))]

    @property
    def scored(self) -> ScoredUtterances:
        """What error rates are counted over."""
        units = self.features.units
        phones = np.array([len(units.scored(said)) for said in self.features.phones], np.int64)
        return ScoredUtterances(phones, self.subset_of.astype(np.int64))

    def error_rate(self, hypotheses: Sequence[Sequence[int]]) -> ErrorRate:
        """Phone error rate of decoded utterances, in the order of the corpus."""
        units = self.features.units
        scores = [
            score(units.scored(r), units.scored(h)) for r, h in zip(self.features.phones, hypotheses, strict=True)
        ]
        total = sum(scores, Score())
        subsets = [
            sum((s for s, subset in zip(scores, self.subset_of, strict=True) if subset == k), Score())
            for k in range(SUBSETS)
        ]
        rates = tuple(subset.error_rate for subset in subsets)
        return ErrorRate(
            max(rates), total.error_rate, rates, total.substitutions, total.insertions, total.deletions,
            total.reference, tuple(s.edits for s in scores),
        )  # fmt: skip


class SpeechSplits:
    """The corpus of a checkpoint, split by split; read (or, if it is the embedded one, synthesised) when first
    needed."""

    def __init__(self, checkpoint: Checkpoint, corpus_root: Path | None, skip_bad: bool, every: int):
        """`corpus_root` None is the embedded corpus; `skip_bad` leaves out utterances that cannot be used; `every`
        takes every so-manyth utterance of dev and test."""
        self.corpus_root = corpus_root
        self.skipped: list[str] = []
        """What was wrong with each utterance that was left out."""
        self._checkpoint = checkpoint
        self._skip_bad = skip_bad
        self._every = every
        self._utterances: dict[str, Features] = {}
        self._packed: dict[str, PackedSplit] = {}

    @cached_property
    def whole(self) -> "SpeechSplits":
        """This corpus with every utterance of dev and test."""
        if self._every == 1:
            return self
        return SpeechSplits(self._checkpoint, self.corpus_root, self._skip_bad, 1)

    def part(self, split: str, positions: Sequence[int]) -> "SpeechSplits":
        """This corpus with some utterances of a split alone, which keep their groups; something is said in
        each group."""
        packed = self.packed(split)
        speech = SpeechSplits(self._checkpoint, self.corpus_root, self._skip_bad, self._every)
        speech._utterances[split] = packed.features.at(positions)
        speech._packed[split] = self._in_batches(speech._utterances[split], packed.subset_of[[*positions]])
        return speech

    def utterances(self, split: str, on_utterance: OnUtterance | None = None) -> Features:
        """Normalised features, labels and phones of a split; `on_utterance` as of `load_features`. Raises InputError
        for a corpus of other units."""
        if split not in self._utterances:
            root = self.corpus_root or self._embedded_root(split)
            corpus = load_corpus(root, split, self._skip_bad)
            self.skipped += corpus.skipped
            features = load_features(corpus, on_utterance)
            if features.units != self._checkpoint.decoder.units:
                ours, theirs = self._checkpoint.decoder.units.name, features.units.name
                raise InputError(f"{root}: a corpus of {theirs}: {self._checkpoint.name} recognises {ours}")
            features = features.normalised(self._checkpoint.statistics)
            self._utterances[split] = features if split == "train" else features.every(self._every)
        return self._utterances[split]

    def packed(self, split: str) -> PackedSplit:
        """A split in batches. Raises InputError where it has too few utterances for the groups."""
        if split not in self._packed:
            features = self.utterances(split)
            # Fewer speakers than groups: a group is of utterances then.
            members = features.speakers if len(set(features.speakers)) >= SUBSETS else features.ids
            subset_of = speaker_subsets(members, [len(p) for p in features.phones], SUBSETS)
            self._check_groups(split, features, subset_of)
            self._packed[split] = self._in_batches(features, subset_of)
        return self._packed[split]

    def _in_batches(self, features: Features, subset_of: np.ndarray) -> PackedSplit:
        """Utterances of these groups (U,), packed."""
        lengths = [len(mat) for mat in features.mats]
        # A batch for every thread at least; 5 % are for padding.
        share = int(1.05 * sum(lengths) / torch.get_num_threads())
        batches = tuple(
            pack(features.mats, None, positions)
            for positions in plan(lengths, min(self._checkpoint.network.cell.frames_per_batch, share))
        )
        return PackedSplit(features, batches, subset_of)

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
        size = self._checkpoint.record["corpus_size"]
        if size is None:
            raise InputError(
                f"{self._checkpoint.name}: trained on a corpus of its own: say where it lies "
                "(--corpus timit --root FOLDER, or corpus_root in an experiment)"
            )
        return embedded_corpus([split], size=size)
