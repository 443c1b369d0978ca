"""Generate the embedded corpus: `python -m quant.speech.synthesis --out DIR --seed N`.

This is a program of its own. It loads espeak-ng (GPL-3) and is the only part of mohaq that does; the rest reads the
files it leaves, which have TIMIT's layout: `TRAIN|TEST/DR*/SPEAKER/SX*.WAV` with `.PHN` and `.TXT`, the speakers of dev
being named in `splits.yaml`.

The same seed gives the same bytes, whatever the number of processes and whichever splits are asked for: every speaker
is synthesised by a process forked from a parent in which espeak-ng has been initialised but has never spoken (the
library carries state from one utterance to the next). A split is written into a temporary folder, its speakers moved
into place one folder at a time, and a marker file with a digest written last.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from quant.speech import phones
from quant.speech.acoustics import SAMPLE_RATE, record, resample
from quant.speech.espeak import Espeak, Speech
from quant.speech.text import draw_split_sentence
from quant.speech.voices import SPLITS, Speaker, cast

LEAD_S = (0.06, 0.2)
"""Silence before and after an utterance."""
HALF_UTTERANCE_S = 1.25
"""A speaker stops this much before the quota is full: the last utterance then overshoots it by nothing on average."""
BABBLE_POOL = 32
"""Clean utterances of a split from which its babble is mixed."""
_STOPS = frozenset({"p", "t", "k", "b", "d", "g", "ch", "jh"})
_LIQUID_SHARE = 0.4
_CLOSURE_DB = -30.0

_espeak: Espeak | None = None
_babble_pool: list[np.ndarray] = []


@dataclass(frozen=True)
class SplitSize:
    """How much of a split to make: each speaker talks until his or her share of the minutes is reached."""

    speakers: int
    """Number of speakers."""
    minutes: float
    """Minutes of speech of all speakers."""


FULL = {"train": SplitSize(384, 128.0), "dev": SplitSize(72, 9.0), "test": SplitSize(72, 9.0)}


def labels_of(speech: Speech, accent: str) -> list[tuple[int, int, str]]:
    """TIMIT labels (start, end, label) of an utterance, in samples of its own rate, without the silences at its ends.

    Three corrections of espeak-ng's events: its `l` and `r` after a vowel may have no length, being part of the vowel's
    own spectrum, and then take the last 2/5 of it; a stop's event marks the release, so a silent closure before
    it is given to the stop; phonemes that share an interval (`A@` = aa r) divide it equally.
    """
    events = [*speech.phonemes, (len(speech.audio), "")]
    spans: list[list] = []
    for (start, mnemonic), (end, _) in pairwise(events):
        names = phones.from_espeak(mnemonic, accent)
        if names == ("pau",):
            if spans and spans[-1][2] == "pau":
                spans[-1][1] = end
            elif end > start and spans:
                spans.append([start, end, "pau"])
            continue
        if end <= start:  # a liquid without a length of its own
            if not spans or spans[-1][2] == "pau":
                raise ValueError(f"espeak-ng phoneme {mnemonic!r} has no length and nothing before it")
            start, end = round(spans[-1][1] - _LIQUID_SHARE * (spans[-1][1] - spans[-1][0])), spans[-1][1]
            spans[-1][1] = start
        cuts = np.linspace(start, end, len(names) + 1).round().astype(int)
        spans += [[int(a), int(b), name] for a, b, name in zip(cuts, cuts[1:], names, strict=False)]
    while spans and spans[-1][2] == "pau":
        spans.pop()
    _claim_closures(spans, speech)
    return [(start, end, label) for start, end, label in spans]


def _claim_closures(spans: list[list], speech: Speech) -> None:
    """Move a stop's start back over the silence that precedes its release, but not over half of the phone before."""
    hop = speech.sample_rate // 500
    n = len(speech.audio) // hop
    envelope = np.abs(speech.audio[: n * hop].astype(np.float64)).reshape(n, hop).max(axis=1)
    silent = envelope < envelope.max() * 10.0 ** (_CLOSURE_DB / 20.0)
    for before, stop in pairwise(spans):
        if stop[2] in _STOPS and before[2] != "pau":
            frame = first = stop[0] // hop
            while frame > 0 and silent[frame - 1] and (frame - 1) * hop > (before[0] + before[1]) // 2:
                frame -= 1
            if frame < first:
                before[1] = stop[0] = frame * hop


def _speak(speaker: Speaker, sentence: str, seed: int) -> tuple[np.ndarray, list[tuple[int, int, str]]]:
    """Clean speech of one speaker at 16 kHz and its labels there."""
    assert _espeak is not None
    speech = _espeak.say(sentence, speaker.voice, speaker.rate, speaker.pitch, speaker.pitch_range, seed)
    # Playing at `formant_shift` times the true rate multiplies all frequencies by it.
    audio, ratio = resample(speech.audio, speech.sample_rate * speaker.formant_shift, SAMPLE_RATE)
    labels = [(round(a * ratio), round(b * ratio), name) for a, b, name in labels_of(speech, speaker.accent)]
    return audio, labels


def _write_speaker(task: tuple[Speaker, str, float, Path]) -> tuple[int, float]:
    """Synthesise one speaker's utterances into a folder. Returns their number and length in seconds."""
    speaker, split, seconds, folder = task
    folder.mkdir(parents=True)
    rng = np.random.default_rng(speaker.seed)
    total, number = 0, 0
    while total < (seconds - HALF_UTTERANCE_S) * SAMPLE_RATE:
        number += 1
        sentence = draw_split_sentence(split, rng)
        clean, labels = _speak(speaker, sentence, int(rng.integers(1, 2**31)))
        lead, trail = (int(rng.uniform(*LEAD_S) * SAMPLE_RATE) for _ in range(2))
        padded = np.concatenate([np.zeros(lead), clean, np.zeros(trail)])
        audio = record(padded, speaker.surroundings, _babble_pool, rng)
        _write_utterance(folder / f"SX{number}", audio, [(a + lead, b + lead, name) for a, b, name in labels], sentence)
        total += len(audio)
    return number, total / SAMPLE_RATE


def _write_utterance(stem: Path, audio: np.ndarray, labels: Sequence[tuple[int, int, str]], sentence: str) -> None:
    marks = [(0, labels[0][0], "h#"), *labels, (labels[-1][1], len(audio), "h#")]
    with wave.open(str(stem.with_suffix(".WAV")), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(audio.astype("<i2").tobytes())
    stem.with_suffix(".PHN").write_text("".join(f"{a} {b} {name}\n" for a, b, name in marks), newline="\n")
    stem.with_suffix(".TXT").write_text(f"0 {len(audio)} {sentence}\n", newline="\n")


def _make_babble(task: tuple[str, int]) -> list[np.ndarray]:
    """Clean utterances of unit power by the first voices of a split, to mix babble from."""
    split, seed = task
    rng = np.random.default_rng((seed, SPLITS.index(split), 10**6))
    pool = []
    for speaker in cast(split, BABBLE_POOL, seed):
        audio, _ = _speak(speaker, draw_split_sentence(split, rng), int(rng.integers(1, 2**31)))
        pool.append(audio / np.sqrt(np.mean(audio**2)))
    return pool


def digest_of(folders: Sequence[Path], root: Path) -> str:
    """SHA-256 over the names (relative to `root`) and contents of all files in the folders."""
    digest = hashlib.sha256()
    for file in sorted(f for folder in folders for f in folder.iterdir()):
        digest.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def generate_split(root: Path, split: str, size: SplitSize, seed: int, processes: int, progress: bool = True) -> dict:
    """Write one split under `root` unless it is there already; returns its description (the marker file's content)."""
    marker = root / f"{split}.json"
    request = {"split": split, "seed": seed, "speakers": size.speakers, "minutes_asked": size.minutes}
    if marker.exists():
        found = json.loads(marker.read_text())
        if {key: found.get(key) for key in request} == request:
            return found
        raise SystemExit(f"{marker}: holds another corpus ({found}); choose an empty folder")
    speakers = cast(split, size.speakers, seed)
    top = root / ("TRAIN" if split == "train" else "TEST")
    temporary = root / f".partial-{split}"
    shutil.rmtree(temporary, ignore_errors=True)
    seconds = 60.0 * size.minutes / size.speakers
    tasks = [(speaker, split, seconds, temporary / speaker.region / speaker.id) for speaker in speakers]

    global _babble_pool
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:  # in a child: the parent must not speak
        _babble_pool = pool.apply(_make_babble, ((split, seed),))
    utterances, length_s = 0, 0.0
    bar = _Bar(f"speakers of {split}", len(tasks), progress)
    with context.Pool(processes, maxtasksperchild=1) as pool, bar as step:
        for count, spoken_s in pool.imap_unordered(_write_speaker, tasks, chunksize=1):
            utterances += count
            length_s += spoken_s
            step()

    places = []
    for speaker in speakers:
        place = top / speaker.region / speaker.id
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(temporary / speaker.region / speaker.id, place)
        places.append(place)
    shutil.rmtree(temporary)
    description = {
        **request, "utterances": utterances, "minutes": round(length_s / 60, 3), "sha256": digest_of(places, root),
    }  # fmt: skip
    partial = marker.with_suffix(".partial")
    partial.write_text(json.dumps(description, indent=1) + "\n")
    os.replace(partial, marker)
    return description


class _Bar:
    """A progress bar on stderr (rich), or nothing."""

    def __init__(self, title: str, total: int, show: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True, emoji=False, markup=False), disable=not show)
        self._task = self._progress.add_task(title, total=total)

    def __enter__(self) -> Callable[[], None]:
        self._progress.start()
        return lambda: self._progress.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m quant.speech.synthesis", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the corpus's root folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--splits", default=",".join(SPLITS), help="comma-separated; default: all three")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    for split, size in FULL.items():
        parser.add_argument(f"--minutes-{split}", type=float, default=size.minutes)
        parser.add_argument(f"--speakers-{split}", type=int, default=size.speakers)
    options = vars(parser.parse_args(arguments))
    splits = options["splits"].split(",")
    if unknown := set(splits) - set(SPLITS):
        parser.error(f"--splits: unknown {sorted(unknown)}; known: {', '.join(SPLITS)}")
    sizes = {split: SplitSize(options[f"speakers_{split}"], options[f"minutes_{split}"]) for split in SPLITS}

    global _espeak
    _espeak = Espeak()
    root: Path = options["out"]
    root.mkdir(parents=True, exist_ok=True)
    lists = {split: [s.id for s in cast(split, sizes[split].speakers, options["seed"])] for split in SPLITS}
    lines = [f"{split}: [{', '.join(names)}]\n" for split, names in lists.items()]
    text = "# Speakers by split: train lies in TRAIN/, dev and test in TEST/.\n" + "".join(lines)
    partial = root / f"splits.yaml.{os.getpid()}"
    partial.write_text(text, newline="\n")
    os.replace(partial, root / "splits.yaml")
    for split in splits:
        made = generate_split(root, split, sizes[split], options["seed"], options["processes"], not options["quiet"])
        print(json.dumps(made), flush=True)


if __name__ == "__main__":
    main()
