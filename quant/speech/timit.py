"""Speech corpora in TIMIT's layout: the real one and the embedded one, by the same code.

    ROOT/TRAIN|TEST/DR*/SPEAKER/SENTENCE.WAV, .PHN, .TXT     (any letter case)

`train` is all of TRAIN. `dev` and `test` are lists of speakers of TEST: a `splits.yaml` in the root names them (the
embedded corpus has one, which lists the speakers of `train` too); otherwise they are TIMIT's core test set of 24
speakers and the 50-speaker development set of Kaldi's TIMIT recipe. SA sentences, which every speaker reads, are
dropped.
"""

from pathlib import Path

from quant.speech import phones
from quant.speech.audio import SAMPLE_RATE, WHOLE, read_audio
from quant.speech.utterances import SPLITS, Corpus, Utterance
from simulators.inputs.bounded_files import read_text
from simulators.inputs.documents import MAX_BYTES, read_document
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import shown

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


def load_timit(root: Path, split: str, skip_bad: bool = False) -> Corpus:
    """Read a split. Anything missing, broken or mislabelled is an InputError naming it; with `skip_bad`, an utterance
    that cannot be used is left out and counted."""
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
    document = read_document(path)
    lists = document.data
    if not isinstance(lists, dict) or not {"dev", "test"} <= set(lists) <= set(SPLITS):
        raise document.error((), "must map 'dev', 'test' and, if wanted, 'train' to lists of speakers")
    speakers = {}
    for split, names in lists.items():
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise document.error((split,), f"value {shown(names)}: must be a list of speaker names")
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
    lines = read_text(path, MAX_BYTES).splitlines()
    labels: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 3 or not (WHOLE.fullmatch(parts[0]) and WHOLE.fullmatch(parts[1])):
            raise InputError(f"{path}:{number}: {shown(line.strip())}: must read 'start end phone'")
        start, end, label = int(parts[0]), int(parts[1]), parts[2].lower()
        if label not in phones.FOLD_39:
            raise InputError(f"{path}:{number}: phone {shown(parts[2])}: not one of TIMIT's 61 labels")
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
