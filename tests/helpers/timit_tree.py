"""A tiny corpus in TIMIT's layout: NIST SPHERE or RIFF files, in the letter case that one likes."""

import wave
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

PHN = "0 800 h#\n800 2400 sh\n2400 4000 ix\n4000 4800 q\n4800 6400 ao\n6400 7200 tcl\n7200 8000 h#\n"
SAMPLES = 8000


def tone(seed: int, samples: int = SAMPLES) -> np.ndarray:
    return (3000 * np.random.default_rng(seed).standard_normal(samples)).astype(np.int16)


def sphere(
    audio: np.ndarray, order: str = "01", coding: str = "pcm", rate: int = 16_000, count: int | None = None
) -> bytes:
    """A file as LDC delivers it: a header of 1024 bytes, then the samples."""
    header = (
        f"NIST_1A\n   1024\ndatabase_id -s5 TIMIT\nsample_count -i {len(audio) if count is None else count}\n"
        f"sample_rate -i {rate}\nchannel_count -i 1\nsample_n_bytes -i 2\nsample_byte_format -s2 {order}\n"
        f"sample_coding -s{len(coding)} {coding}\nend_head\n"
    )
    return header.encode().ljust(1024) + audio.astype("<i2" if order == "01" else ">i2").tobytes()


def write_riff(path: Path, audio: np.ndarray, rate: int = 16_000, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(audio, channels).astype("<i2").tobytes())


def write_tree(root: Path, speakers: Iterable[str], case: Callable[[str], str] = str.upper, riff: bool = False) -> Path:
    """Speakers as "TRAIN/DR1/FABC0", each with one SA, one SX and one SI sentence."""
    for number, speaker in enumerate(speakers):
        folder = root / case(speaker)
        folder.mkdir(parents=True)
        for sentence in ("SA1", "SX2", "SI3"):
            audio = tone(number)
            if riff:
                write_riff(folder / case(f"{sentence}.WAV"), audio)
            else:
                (folder / case(f"{sentence}.WAV")).write_bytes(sphere(audio))
            (folder / case(f"{sentence}.PHN")).write_text(PHN)
            (folder / case(f"{sentence}.TXT")).write_text(f"0 {SAMPLES} She ought.\n")
    return root
