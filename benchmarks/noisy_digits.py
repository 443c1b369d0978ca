"""Spoken digits in noise, and what published networks are given of them.

Digits are those of the Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0), three in a row with pauses between
them, in white noise 10 dB below the speech, at 16 kHz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from quant.graphs.data_settings import Chunks, DataSettings
from quant.speech.audio import read_audio

RATE = 16_000
DIGITS_RATE = 8_000
PAUSE = RATE * 3 // 10
NOISE_DB = -10.0
Signal = NDArray[np.float32]


def utterances(folder: Path, count: int, seed: int = 1) -> list[Signal]:
    """So many utterances, each of three digits and four pauses, (samples,) in [-1, 1]."""
    random = np.random.default_rng(seed)
    files = sorted((folder / "recordings").glob("*.wav"))
    return [_utterance([files[i] for i in random.choice(len(files), 3, replace=False)], random) for _ in range(count)]


def _utterance(files: list[Path], random: np.random.Generator) -> Signal:
    pause = np.zeros(PAUSE)
    parts = [pause]
    for file in files:
        digit = resample_poly(read_audio(file, DIGITS_RATE) / 2.0**15, RATE // DIGITS_RATE, 1)
        parts += [0.3 * digit / np.abs(digit).max(), pause]
    speech = np.concatenate(parts)
    noise = random.normal(size=len(speech)) * speech.std() * 10 ** (NOISE_DB / 20)
    return (speech + noise).astype(np.float32)


def nsnet2_features(signal: Signal) -> dict[str, Any]:
    """Log power of 20 ms windows every 10 ms, (1, frames, 161): what NSNet2 (Braun and Tashev 2020) is given."""
    window, hop = 320, 160
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop] * np.sqrt(np.hanning(window))
    power = np.abs(np.fft.rfft(frames, axis=-1)) ** 2
    return {"input": np.log10(np.maximum(power, 1e-12))[None].astype(np.float32)}


def silero_chunks(signal: Signal) -> dict[str, Any]:
    """512 samples after 64 of those before, a row each: what the form of Silero VAD for sequences is given."""
    padded = np.pad(signal, (64, -len(signal) % 512))
    rows = np.lib.stride_tricks.sliding_window_view(padded, 576)[::512]
    state = np.zeros((1, 1, 128), np.float32)
    return {"input": rows.astype(np.float32), "h": state, "c": state}


def deepfilternet_features(signal: Signal) -> dict[str, Any]:
    """Two views of a spectrum every 10 ms, of the sizes and about the ranges that the encoder of DeepFilterNet3
    (Schröter et al. 2023) was trained on: 32 bands in tens of decibels, 96 complex bins of unit size."""
    window, hop = 320, 160
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop] * np.hanning(window)
    spectrum = np.fft.rfft(frames, axis=-1)[:, :160]
    bands = np.log10(np.maximum((np.abs(spectrum) ** 2).reshape(len(frames), 32, 5).mean(-1), 1e-10))
    bins = spectrum[:, :96] / 160.0  # half a window: a sine of full scale is one
    bins /= np.sqrt(np.maximum(np.abs(bins).mean(0), 1e-6))
    both = np.stack([bins.real, bins.imag])
    return {
        "feat_erb": ((bands - bands.mean()) / 4.0)[None, None].astype(np.float32),
        "feat_spec": both[None].astype(np.float32),
    }


SETTINGS: Mapping[str, DataSettings] = {
    "silero": DataSettings(error="decisions", threshold=0.5, calibrate=4),
    "nsnet2": DataSettings(calibrate=4),
    "deepfilternet": DataSettings(output="emb", calibrate=4),
}
"""How each network is judged: the voice activity by its decisions, masks and encodings by their difference."""

FEATURES = {"silero": silero_chunks, "nsnet2": nsnet2_features, "deepfilternet": deepfilternet_features}

STREAMING = DataSettings(
    inputs={"sr": RATE}, state={"state": "stateN"}, chunks={"input": Chunks(length=512, context=64)},
    sample_rate=RATE, zeros={"state": [2, 1, 128]}, error="decisions", threshold=0.5,
)  # fmt: skip
"""Silero VAD as it is deployed: a chunk of 32 ms at a time, its state carried on."""
