"""Speech corpora in TIMIT's layout: the real one and the embedded one, by the same code.

    ROOT/TRAIN|TEST/DR*/SPEAKER/SENTENCE.WAV, .PHN, .TXT     (any letter case)

`train` is all of TRAIN. `dev` and `test` are lists of speakers of TEST: a `splits.yaml` in the root names them (the
embedded corpus has one, which lists the speakers of `train` too); otherwise they are TIMIT's core test set of 24
speakers and the 50-speaker development set of Kaldi's TIMIT recipe. SA sentences, which every speaker reads, are
dropped.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml

from quant.speech import phones
from quant.speech.audio import SAMPLE_RATE, read_audio
from quant.speech.units import PHONES, Units
from simulators.errors import InputError

SPLITS = ("train", "dev", "test")
SHORTEST = 720
"""Samples of three frames: what one phone's model takes."""

# Garofolo et al., "DARPA TIMIT acoustic-phonetic continuous speech corpus" (1993): two men and a woman of each region.
CORE_TEST_SPEAKERS = [
    "MDAB0", "MWBT0", "FELC0", "MTAS1", "MWEW0", "FPAS0", "MJMP0", "MLNT0", "FPKT0", "MLLL0", "MTLS0", "FJLM0",
    "MBPM0", "MKLT0", "FNLP0", "MCMJ0", "MJDH0", "FMGD0", "MGRT0", "MNJM0", "FDHC0", "MJLN0", "MPAM0", "FMLD0",
]  # fmt: skip
# The list of Kaldi's egs/timit/s5/conf/dev_spk.list, disjoint from the core test set.
DEV_SPEAKERS = [
    "FAKS0", "FDAC1", "FJEM0", "MGWT0", "MJAR0", "MMDB1", "MMDM2", "MPDF0", "FCMH0", "FKMS0", "MBDG0", "MBWM0",
    "MCSH0", "FADG0", "FDMS0", "FEDW0", "MGJF0", "MGLB0", "MRTK0", "MTAA0", "MTDT0", "MTHC0", "MWJG0", "FNMR0",
    "FREW0", "FSEM0", "MBNS0", "MMJR0", "MDLS0", "MDLF0", "MDVC0", "MERS0", "FMAH0", "FDRW0", "MRCS0", "MRJM4",
    "FCAL1", "MMWH0", "FJSJ0", "MAJC0", "MJSW0", "MREB0", "FGJD0", "FJMG0", "MROA0", "MTEB0", "MJFC0", "MRJR0",
    "FMML0", "MRWS1",
]  # fmt: skip


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

    def __iter__(self):
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


def load_corpus(root: Path | str, split: str, skip_bad: bool = False) -> Corpus:
    """Read a split, "train", "dev" or "test", of a corpus in TIMIT's layout or of the Free Spoken Digit Dataset (see
    `quant.speech.digits`). Anything missing, broken or mislabelled is an InputError naming it; with `skip_bad`, an
    utterance that cannot be used is left out and counted."""
    from quant.speech.digits import is_digits, load_digits

    root = Path(root)
    if split not in SPLITS:
        raise InputError(f"split: value {split!r}: must be one of {', '.join(SPLITS)}")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a corpus in TIMIT's layout")
    if is_digits(root):
        return load_digits(root, split, skip_bad)
    top = _child(root, "TRAIN" if split == "train" else "TEST")
    if top is None:
        raise InputError(f"{root}: has no folder {'TRAIN' if split == 'train' else 'TEST'}; expected TIMIT's layout")
    folders = {
        speaker.name.upper(): speaker
        for region in sorted(top.iterdir())
        if region.is_dir() and region.name.upper().startswith("DR")
        for speaker in sorted(region.iterdir())
        if speaker.is_dir()
    }
    chosen = sorted(split_speakers(root).get(split, folders))
    if not chosen:
        raise InputError(f"{top}: has no speakers (DR*/SPEAKER)")
    utterances: list[Utterance] = []
    skipped: list[str] = []
    for speaker in chosen:
        if speaker not in folders:
            raise InputError(f"{top}: speaker {speaker} of split {split} is missing (DR*/{speaker})")
        utterances += _load_speaker(speaker, folders[speaker], skipped if skip_bad else None)
    if not utterances:
        raise InputError(f"{top}: every utterance of {split} was skipped; the first: {skipped[0]}")
    return Corpus(split, tuple(utterances), tuple(skipped))


def split_speakers(root: Path) -> dict[str, list[str]]:
    """The speakers of dev and test, and of train if it is not all of TRAIN: from `splits.yaml` in the root if there is
    one, else TIMIT's standard lists."""
    path = _child(root, "splits.yaml")
    if path is None:
        return {"dev": DEV_SPEAKERS, "test": CORE_TEST_SPEAKERS}
    try:
        lists = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(lists, dict) or not {"dev", "test"} <= set(lists) <= set(SPLITS):
        raise InputError(f"{path}: must map 'dev', 'test' and, if wanted, 'train' to lists of speakers")
    speakers = {}
    for split, names in lists.items():
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise InputError(f"{path}: {split}: value {names!r}: must be a list of speaker names")
        speakers[split] = [name.upper() for name in names]
    if both := set(speakers["dev"]) & set(speakers["test"]):
        raise InputError(f"{path}: test: speaker {min(both)} is in dev too")
    return speakers


def _child(folder: Path, name: str) -> Path | None:
    """The entry of a folder with this name in any letter case."""
    return next((entry for entry in sorted(folder.iterdir()) if entry.name.upper() == name.upper()), None)


def _load_speaker(speaker: str, folder: Path, skipped: list[str] | None) -> list[Utterance]:
    files = {entry.name.upper(): entry for entry in sorted(folder.iterdir())}
    # Some copies carry RIFF twins beside the SPHERE files (SX1.WAV.wav): the plain name counts.
    stems = sorted({n[:-4] for n in files if n.endswith((".WAV", ".PHN")) and "." not in n[:-4]})
    stems = [stem for stem in stems if not stem.startswith("SA")]
    if not stems:
        raise InputError(f"{folder}: has no sentences (*.WAV with *.PHN) besides SA")
    utterances = []
    for stem in stems:
        try:
            for suffix in (".WAV", ".PHN"):
                if stem + suffix not in files:
                    raise InputError(f"{folder / (stem + suffix)}: missing; every sentence needs .WAV and .PHN")
            audio = read_audio(files[stem + ".WAV"])
            if len(audio) < SHORTEST:
                raise InputError(
                    f"{files[stem + '.WAV']}: {len(audio)} samples: shorter than three frames ({SHORTEST})"
                )
            labels = read_labels(files[stem + ".PHN"], len(audio))
            utterances.append(Utterance(f"{speaker}_{stem}", speaker, audio, labels))
        except InputError as error:
            if skipped is None:
                raise
            skipped.append(str(error))
    return utterances


def read_labels(path: Path, samples: int) -> tuple[tuple[int, int, str], ...]:
    """A `.PHN` file: lines of first sample, end sample, label. `samples` is the length of its audio.

    Hand-made labels may end a few samples off the audio's end and leave small gaps or overlaps: these pass, a phone's
    start being what counts. Phones out of order, unknown labels and phones beyond the audio are errors.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file") from None
    labels: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
            raise InputError(f"{path}:{number}: {line.strip()!r}: must read 'start end phone'")
        start, end, label = int(parts[0]), int(parts[1]), parts[2].lower()
        if label not in phones.FOLD_39:
            raise InputError(f"{path}:{number}: phone {parts[2]!r}: not one of TIMIT's 61 labels")
        if end <= start:
            raise InputError(f"{path}:{number}: phone {label} ends at {end}, must be after its start {start}")
        if labels and start <= labels[-1][0]:
            raise InputError(f"{path}:{number}: phone {label} starts at {start}, not after the one before it")
        if end > samples + _END_TOLERANCE:
            raise InputError(f"{path}:{number}: phone {label} ends at sample {end}, but the audio has {samples}")
        labels.append((start, end, label))
    if not labels:
        raise InputError(f"{path}: holds no phones")
    return tuple(labels)


_END_TOLERANCE = SAMPLE_RATE // 10
