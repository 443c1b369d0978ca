"""Spoken digits, a recording a sequence, from a folder of the Free Spoken Digit Dataset.

    ROOT/recordings/{digit}_{speaker}_{take}.wav        mono, 16 bit, 8 kHz

By the data set's own convention takes 0 to 4 are the test part; takes 5 to 9 are dev here, the others train. All
speakers are in all parts. Recordings become log-mel energies, and what lies past a second and a quarter is cut off.
"""

import re
from pathlib import Path

import numpy as np

from quant.own.gru_classifier import Sequences
from quant.speech.audio import read_audio
from quant.speech.digits import FOLDER, RECORDED_RATE, is_digits
from quant.tasks.task import TaskData
from simulators.inputs.errors import InputError

BANDS, WINDOW_MS, HOP_MS = 16, 32.0, 20.0
MOST_STEPS = 62
"""Frames of a sequence, at most."""
_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
_TEST, _DEV = range(5), range(5, 10)


def load_spoken_digits(root: Path | None) -> TaskData:
    """All recordings. Raises InputError where there is no such folder, or for what is broken in it."""
    if root is None:
        raise InputError("spoken-digits: --root is missing: the folder of the Free Spoken Digit Dataset")
    if not is_digits(root):
        raise InputError(f"{root}: no folder {FOLDER}/: expected the Free Spoken Digit Dataset")
    parts: dict[str, list[tuple[np.ndarray, int]]] = {"train": [], "dev": [], "test": []}
    for path in sorted((root / FOLDER).glob("*.wav")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise InputError(f"{path}: the name must read DIGIT_SPEAKER_TAKE.wav")
        take = int(match[3])
        part = "test" if take in _TEST else "dev" if take in _DEV else "train"
        parts[part].append((_energies(path), int(match[1])))
    for part, recordings in parts.items():
        if not recordings:
            raise InputError(f"{root / FOLDER}: no recordings of {part}: takes 0 to 4 are test, 5 to 9 dev")
    return TaskData(*(_sequences(parts[part]) for part in ("train", "dev", "test")))


def _energies(path: Path) -> np.ndarray:
    """(T, BANDS) Log-mel energies of a recording. Raises InputError for one that is too short."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    frame = options.frame_opts
    frame.samp_freq, frame.dither, frame.snip_edges = RECORDED_RATE, 0.0, True
    frame.frame_length_ms, frame.frame_shift_ms = WINDOW_MS, HOP_MS
    options.mel_opts.num_bins, options.mel_opts.low_freq = BANDS, 60.0
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(RECORDED_RATE, read_audio(path, RECORDED_RATE).astype(np.float32) / 32_768.0)
    fbank.input_finished()
    frames = min(fbank.num_frames_ready, MOST_STEPS)
    if not frames:
        raise InputError(f"{path}: shorter than a window of {WINDOW_MS:g} ms")
    return np.stack([fbank.get_frame(t) for t in range(frames)]).astype(np.float32)


def _sequences(recordings: list[tuple[np.ndarray, int]]) -> Sequences:
    lengths = np.array([len(values) for values, _ in recordings], np.int64)
    x = np.zeros((len(recordings), lengths.max(), BANDS), np.float32)
    for i, (values, _) in enumerate(recordings):
        x[i, : len(values)] = values
    return Sequences(x, np.array([digit for _, digit in recordings], np.int64), lengths)
