"""Acoustic features: 23 log-mel bands, 25 ms windows every 10 ms, and the phone state that each frame belongs to.

The filterbank is Kaldi's, through kaldi-native-fbank, without dither. Features are cached on disk under a key made of
the corpus's content and the settings below, before normalisation; mean and variance come from the training set and
travel with the model.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from quant.speech.audio import SAMPLE_RATE
from quant.speech.cache_folder import cache_dir
from quant.speech.units import PHONES, UNITS, Units
from quant.speech.utterances import Corpus, Utterance
from simulators.inputs.arrays import Expected, read_arrays
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole

BANDS = 23
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
_LOW_HZ = 20.0
_SETTINGS = {
    "bands": BANDS, "window_ms": 25.0, "hop_ms": 10.0, "low_hz": _LOW_HZ, "high_hz": 0.0, "window": "povey",
    "preemphasis": 0.97, "dither": 0.0, "states": PHONES.states, "phones": PHONES.names, "version": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each band over a training set's frames, float32 [BANDS]."""

    mean: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True)
class Features:
    """A split, ready for a model: one entry per utterance in every list, in the order of the corpus."""

    split: str
    digest: str
    """The corpus split's digest (not that of the features)."""
    ids: list[str] = field(repr=False)
    speakers: list[str] = field(repr=False)
    mats: list[np.ndarray] = field(repr=False)
    """Log-mel energies, float32 [T, BANDS]."""
    labels: list[np.ndarray] = field(repr=False)
    """State of the unit at each frame's centre, int16 [T], below `units.classes`."""
    phones: list[np.ndarray] = field(repr=False)
    """What is said: indices of units with runs of silence merged, int16."""
    units: Units = PHONES

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def frames(self) -> int:
        """Frames of all utterances."""
        return sum(len(mat) for mat in self.mats)

    def statistics(self) -> Statistics:
        """Mean and deviation over all frames (float64 sums)."""
        total = sum((mat.sum(axis=0, dtype=np.float64) for mat in self.mats), np.zeros(BANDS))
        mean = total / self.frames
        squares = sum((((mat - mean) ** 2).sum(axis=0) for mat in self.mats), np.zeros(BANDS))
        deviation = np.sqrt(np.maximum(squares / self.frames, 1e-6))
        return Statistics(mean.astype(np.float32), deviation.astype(np.float32))

    def normalised(self, statistics: Statistics) -> "Features":
        """These features with every band shifted and scaled by a training set's statistics."""
        return replace(self, mats=[(mat - statistics.mean) / statistics.deviation for mat in self.mats])

    def every(self, n: int) -> "Features":
        """Every n-th utterance, under a digest of its own."""
        lists = {name: getattr(self, name)[::n] for name in ("ids", "speakers", "mats", "labels", "phones")}
        return self if n == 1 else replace(self, digest=f"{self.digest}:{n}", **lists)

    def at(self, positions: Sequence[int]) -> "Features":
        """The utterances at some positions, in that order, under a digest of their own."""
        names = "ids", "speakers", "mats", "labels", "phones"
        lists: dict[str, Any] = {name: [getattr(self, name)[i] for i in positions] for name in names}
        which = hashlib.sha256(",".join(map(str, positions)).encode()).hexdigest()[:16]
        return replace(self, digest=f"{self.digest}:at-{which}", **lists)

    def state_counts(self) -> np.ndarray:
        """Frames of each state, int64 [classes]: the priors that decoding divides by."""
        return np.bincount(np.concatenate(self.labels), minlength=self.units.classes)


OnUtterance = Callable[[int, int], None]
"""Is told how many utterances of a split are done, and how many there are."""


def load_features(corpus: Corpus, on_utterance: OnUtterance | None = None) -> Features:
    """Features of a corpus split, unnormalised, from the cache or computed and, if there is room, cached.
    `on_utterance` is called as they are computed."""
    path = cache_dir() / "features" / f"{cache_key(corpus)}.npz"
    if os.path.lexists(path):
        try:
            return _load(path, corpus.digest)
        except InputError as error:
            logging.getLogger(__name__).warning("mohaq: damaged features are made again: %s", error)
    features = compute_features(corpus, on_utterance)
    with contextlib.suppress(InputError):  # a full disk or a read-only home costs only time
        _save(path, features)
    return features


def cache_key(corpus: Corpus) -> str:
    """SHA-256 over the corpus's content, the settings, and the filterbank's version."""
    units = units_of(corpus)
    settings = {
        **_SETTINGS,
        "states": units.states,
        "phones": units.names,
        "split": corpus.split,
        "digest": corpus.digest,
        "fbank": version("kaldi-native-fbank"),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def units_of(corpus: Corpus) -> Units:
    """What the utterances of a corpus consist of."""
    return corpus.utterances[0].units


def compute_features(corpus: Corpus, on_utterance: OnUtterance | None = None) -> Features:
    """Features of a corpus split, unnormalised. About 300 times faster than real time."""
    mats = []
    for u in corpus:
        mats.append(log_mel(u.audio))
        if on_utterance:
            on_utterance(len(mats), len(corpus))
    for u, mat in zip(corpus, mats, strict=True):
        if not len(mat) or not np.isfinite(mat).all():
            what = "no frames" if not len(mat) else "features that are not finite"
            raise InputError(f"utterance {u.id}: {what}")
    return Features(
        split=corpus.split,
        digest=corpus.digest,
        ids=[u.id for u in corpus],
        speakers=[u.speaker for u in corpus],
        mats=mats,
        labels=[frame_states(u, len(mat)) for u, mat in zip(corpus, mats, strict=True)],
        phones=[np.array([u.units.names.index(p) for p in u.reference], np.int16) for u in corpus],
        units=units_of(corpus),
    )


def log_mel(audio: np.ndarray) -> np.ndarray:
    """Log-mel energies of int16 audio, float32 [T, BANDS] with T = 1 + (samples − 400) // 160 (0 if shorter)."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    frame = options.frame_opts
    frame.samp_freq, frame.dither, frame.snip_edges = SAMPLE_RATE, 0.0, True
    frame.frame_length_ms, frame.frame_shift_ms = 25.0, 10.0
    options.mel_opts.num_bins, options.mel_opts.low_freq = BANDS, _LOW_HZ
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(SAMPLE_RATE, audio.astype(np.float32) / 32_768.0)
    fbank.input_finished()
    count = fbank.num_frames_ready
    if not count:
        return np.zeros((0, BANDS), np.float32)
    return np.stack([fbank.get_frame(t) for t in range(count)]).astype(np.float32)


def frame_states(utterance: Utterance, frames: int) -> np.ndarray:
    """The state of the unit at each frame's centre, int16 [frames].

    A unit's frames are split evenly: one frame of a phone is its middle state, two are the outer ones.
    """
    spans, count = utterance.spans(), utterance.units.states
    starts = np.array([start for start, _ in spans])
    centres = np.arange(frames) * HOP_SAMPLES + WINDOW_SAMPLES // 2
    span_of = np.maximum(np.searchsorted(starts, centres, side="right") - 1, 0)
    states = np.empty(frames, np.int16)
    for index, (_, unit) in enumerate(spans):
        where = np.flatnonzero(span_of == index)
        n = len(where)
        states[where] = unit * count + (count * np.arange(n) + count // 2) // max(n, 1)
    return states


def _save(path: Path, features: Features) -> None:
    arrays = {
        "split": np.array(features.split),
        "digest": np.array(features.digest),
        "ids": np.array(features.ids),
        "speakers": np.array(features.speakers),
        "lengths": np.array([len(mat) for mat in features.mats]),
        "mats": np.concatenate(features.mats).ravel(),
        "labels": np.concatenate(features.labels),
        "phone_lengths": np.array([len(p) for p in features.phones]),
        "phones": np.concatenate(features.phones),
        "units": np.array(features.units.name),
    }
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, sha256=np.array(_digest_of(arrays)), **arrays)
    write_whole(path, packed.getvalue(), durable=False)


_ARRAYS = {
    "split": Expected("U"), "digest": Expected("U"), "units": Expected("U"), "sha256": Expected("U"),
    "ids": Expected("U", "utterances"), "speakers": Expected("U", "utterances"),
    "lengths": Expected("i", "utterances"), "phone_lengths": Expected("i", "utterances"),
    "mats": Expected("f", "values"), "labels": Expected("i", "frames"), "phones": Expected("i", "phones"),
}  # fmt: skip
_MOST_BYTES = 1 << 30
"""Size of a split's features: thirty hours of speech."""


def _digest_of(arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 of arrays by their names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}\0{arrays[name].dtype}\0{arrays[name].size}\0".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def _load(path: Path, digest: str) -> Features:
    """Features that were saved, of the corpus of this digest. Raises InputError where they are not what was saved."""
    data = read_arrays(path, _ARRAYS, _MOST_BYTES)
    if _digest_of({name: array for name, array in data.items() if name != "sha256"}) != str(data["sha256"]):
        raise InputError(f"{path}: its sha256 differs")
    frames, phones, units = data["lengths"].sum(), data["phone_lengths"].sum(), str(data["units"])
    if (len(data["mats"]), len(data["labels"]), len(data["phones"])) != (frames * BANDS, frames, phones):
        raise InputError(f"{path}: its arrays are not as long as it says")
    if str(data["digest"]) != digest or units not in UNITS:
        raise InputError(f"{path}: features of another corpus")
    cuts = np.cumsum(data["lengths"])[:-1]
    return Features(
        split=str(data["split"]),
        digest=str(data["digest"]),
        ids=data["ids"].tolist(),
        speakers=data["speakers"].tolist(),
        mats=np.split(data["mats"].reshape(-1, BANDS), cuts),
        labels=np.split(data["labels"], cuts),
        phones=np.split(data["phones"], np.cumsum(data["phone_lengths"])[:-1]),
        units=UNITS[units],
    )
