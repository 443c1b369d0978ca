"""Real voices: the Free Spoken Digit Dataset as connected digit strings, from a folder of its recordings.

    ROOT/recordings/{digit}_{speaker}_{take}.wav        mono, 16 bit, 8 kHz

Splits share no speaker: the last speaker by name is `test`, the one before `dev`, the others `train`. Strings of one to
seven takes of a speaker with pauses are joined from a fixed seed; each take of dev and test occurs once. Training has
few voices, so each of its takes occurs several times at other speeds, which move pitch and formants with them (speed
perturbation, Ko et al. 2015), and at other levels. Recordings are resampled to 16 kHz, and a last bit of noise fills
the bands that they have nothing in.
"""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from quant.speech.audio import SAMPLE_RATE, read_audio
from quant.speech.units import DIGITS
from quant.speech.utterances import Corpus, Utterance
from simulators.inputs.errors import InputError

RECORDED_RATE = 8_000
FOLDER = "recordings"
_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
_SPEEDS = tuple(Fraction(n, 20) for n in range(15, 26))
"""0.75 to 1.25 times as fast."""
COPIES = 6
"""Times that each take occurs in training."""


def is_digits(root: Path) -> bool:
    """Whether a folder holds the data set."""
    return (root / FOLDER).is_dir()


def load_digits(root: Path, split: str, skip_bad: bool = False) -> Corpus:
    """A split as digit strings. Anything missing or broken is an InputError naming it; with `skip_bad`, a broken take
    is left out and counted."""
    takes: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted((root / FOLDER).glob("*.wav")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise InputError(f"{path}: the name must read DIGIT_SPEAKER_TAKE.wav")
        takes.setdefault(match[2], []).append((int(match[1]), path))
    speakers = sorted(takes)
    if len(speakers) < 3:
        raise InputError(f"{root / FOLDER}: {len(speakers)} speakers: three at least make train, dev and test")
    chosen = {"train": speakers[:-2], "dev": speakers[-2:-1], "test": speakers[-1:]}[split]
    utterances: list[Utterance] = []
    skipped: list[str] = []
    for speaker in chosen:
        audio = []
        for digit, path in takes[speaker]:
            try:
                audio.append((digit, read_audio(path, RECORDED_RATE)))
            except InputError as error:
                if not skip_bad:
                    raise
                skipped.append(str(error))
        for copy in range(COPIES if split == "train" else 1):
            generator = np.random.default_rng([speakers.index(speaker), copy])
            utterances += _strings(speaker, copy, audio, generator, perturbed=split == "train" and copy > 0)
    if not utterances:
        raise InputError(f"{root / FOLDER}: every take of {split} was skipped; the first: {skipped[0]}")
    return Corpus(split, tuple(utterances), tuple(skipped))


def _strings(
    speaker: str, copy: int, takes: list[tuple[int, np.ndarray]], generator: np.random.Generator, perturbed: bool
) -> list[Utterance]:
    """Every take once, in strings of random order and length."""
    order = generator.permutation(len(takes)).tolist()
    utterances: list[Utterance] = []
    while order:
        string, order = order[: (count := int(generator.integers(1, 8)))], order[count:]
        speed = _SPEEDS[int(generator.integers(len(_SPEEDS)))] if perturbed else Fraction(1)
        gain = float(generator.uniform(0.3, 1.0)) if perturbed else 1.0
        ratio = Fraction(SAMPLE_RATE, RECORDED_RATE) / speed
        pieces: list[np.ndarray] = []
        labels: list[tuple[int, int, str]] = []
        at = 0
        for take in [*string, None]:
            pause = int(SAMPLE_RATE * generator.uniform(0.12, 0.4))
            pieces.append(np.zeros(pause))
            if not labels or labels[-1][2] != "sil":
                labels.append((at, at + pause, "sil"))
            at += pause
            if take is not None:
                digit, recorded = takes[take]
                samples = gain * resample_poly(recorded.astype(np.float64), ratio.numerator, ratio.denominator)
                pieces.append(samples)
                labels.append((at, at + len(samples), DIGITS.names[digit + 1]))
                at += len(samples)
        whole = np.concatenate(pieces) + generator.normal(size=at)
        audio = np.clip(np.rint(whole), -(2**15), 2**15 - 1).astype(np.int16)
        name = f"{speaker}_{copy}_{len(utterances):03d}".upper()
        utterances.append(Utterance(name, speaker, audio, tuple(labels), DIGITS))
    return utterances
