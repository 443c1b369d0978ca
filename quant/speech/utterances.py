"""Utterances and the splits that they make, whatever corpus they come from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from quant.speech import phones
from quant.speech.audio import SAMPLE_RATE
from quant.speech.units import PHONES, Units

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Utterance:
    """One sentence of one speaker."""

    id: str
    """`SPEAKER_SENTENCE`, upper case."""
    speaker: str
    audio: np.ndarray = field(repr=False)
    """int16, mono, 16 kHz."""
    phones: tuple[tuple[int, int, str], ...] = field(repr=False)
    """(first sample, sample after the last, TIMIT label of 61 or name of another unit), contiguous, from the start of
    the file."""
    units: Units = PHONES

    @property
    def reference(self) -> list[str]:
        """What is said: of phones 39, `q` deleted, runs of silence merged."""
        labels = [label for _, _, label in self.phones]
        return phones.fold(labels) if self.units is PHONES else labels

    def spans(self) -> list[tuple[int, int]]:
        """(first sample, index of the unit): silences that touch are one, a deleted glottal stop's time goes to what
        is before it."""
        spans: list[tuple[int, int]] = []
        for start, _, label in self.phones:
            unit = phones.FOLD_39[label] if self.units is PHONES else label
            if unit is None or (spans and spans[-1][1] == self.units.silence and unit == phones.SILENCE):
                continue
            spans.append((start, self.units.names.index(unit)))
        return spans


@dataclass(frozen=True)
class Corpus:
    """A split of a corpus: its utterances in the order of their ids."""

    split: str
    utterances: tuple[Utterance, ...] = field(repr=False)
    skipped: tuple[str, ...] = ()
    """What was wrong with each utterance that was left out."""

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    @property
    def minutes(self) -> float:
        """Length of all audio."""
        return sum(len(u.audio) for u in self.utterances) / SAMPLE_RATE / 60

    @cached_property
    def digest(self) -> str:
        """SHA-256 over ids, audio and labels: what results on this split are keyed by."""
        digest = hashlib.sha256()
        for u in self.utterances:
            labels = ";".join(f"{a},{b},{label}" for a, b, label in u.phones)
            digest.update(f"{u.id}\0{len(u.audio)}\0{labels}\0".encode())
            digest.update(np.ascontiguousarray(u.audio, "<i2").tobytes())
        return digest.hexdigest()
