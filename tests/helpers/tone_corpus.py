"""A small corpus in TIMIT's layout whose phones are tones: a recogniser of a few cells learns it in seconds, and errs more
with fewer bits."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml
from timit_tree import sphere

PITCHES_HZ: Mapping[str, float] = {"sh": 500, "ix": 1100, "ao": 2000, "iy": 3300, "eh": 5200}
RATE_HZ = 16_000
SENTENCES, PHONES = 4, 6
"""Of a speaker, and of a sentence between its silences."""
SPEAKERS: Mapping[str, tuple[str, ...]] = {
    "train": tuple(f"{sex}T{number:02d}0" for sex in "FM" for number in range(6)),
    **{split: tuple(f"{sex}{split.upper()}{number}" for sex in "FM" for number in (0, 1)) for split in ("dev", "test")},
}


def write_tones(root: Path) -> Path:
    """The corpus in a new folder: 12 speakers of train, four of dev and of test each."""
    generator = np.random.default_rng(0)
    for split, names in SPEAKERS.items():
        for name in names:
            folder = root / ("TRAIN" if split == "train" else "TEST") / "DR1" / name
            folder.mkdir(parents=True)
            for number in range(SENTENCES):
                audio, labels = _sentence(generator)
                (folder / f"SX{number}.WAV").write_bytes(sphere(audio))
                (folder / f"SX{number}.PHN").write_text(labels)
    (root / "splits.yaml").write_text(yaml.safe_dump({split: list(SPEAKERS[split]) for split in ("dev", "test")}))
    return root


def _sentence(generator: np.random.Generator) -> tuple[np.ndarray, str]:
    """Samples (n) int16 of tones in noise between two silences, and the labels of a `.PHN` file."""
    silence = ("h#", np.zeros(RATE_HZ // 20))
    parts = [silence]
    for phone in generator.choice(list(PITCHES_HZ), PHONES):
        samples = np.arange(generator.integers(1200, 2400))
        pitch_hz = PITCHES_HZ[str(phone)] * generator.uniform(0.93, 1.07)
        parts.append((str(phone), 4000 * np.sin(2 * np.pi * pitch_hz * samples / RATE_HZ)))
    parts.append(silence)
    audio = np.concatenate([samples for _, samples in parts])
    ends = np.cumsum([len(samples) for _, samples in parts])
    labels = "".join(f"{end - len(samples)} {end} {phone}\n" for end, (phone, samples) in zip(ends, parts, strict=True))
    return (audio + generator.normal(0, 300, len(audio))).astype(np.int16), labels
