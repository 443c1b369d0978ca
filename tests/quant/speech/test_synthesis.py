"""The generator of the embedded corpus, in processes of its own and at a small size."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from quant.speech import embedded, phones, voices
from quant.speech.corpus import load_corpus
from quant.speech.features import compute_features, log_mel
from quant.speech.timit import split_speakers
from simulators.inputs.errors import InputError

needs_espeak = pytest.mark.skipif(
    not embedded.espeak_available(), reason="espeakng-loader is not installed (extra `corpus`)"
)
TINY = [f"--{what}-{split}={n}" for split in voices.SPLITS for what, n in (("speakers", 8), ("minutes", 0.5))]


def generate(out: Path, *options: str, seed: int = 0) -> None:
    command = [sys.executable, "-m", "quant.speech.synthesis", f"--out={out}", f"--seed={seed}", "--quiet"]
    subprocess.run([*command, *TINY, *options], check=True, stdout=subprocess.DEVNULL)


def contents(root: Path, top: str) -> dict[str, str]:
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((root / top).rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("embedded")
    generate(root)
    return root


@pytest.mark.slow
@needs_espeak
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(corpus_root: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", "--splits=test,dev", "--processes=1")
    assert contents(tmp_path / "again", "TEST") == contents(corpus_root, "TEST")
    generate(tmp_path / "other", "--splits=dev", seed=1)
    other = contents(tmp_path / "other", "TEST")
    assert not set(other.values()) & set(contents(corpus_root, "TEST").values())


@needs_espeak
def test_splits_share_neither_voices_nor_speakers_nor_sentences(corpus_root: Path) -> None:
    speakers, sentences = {}, {}
    for split in voices.SPLITS:
        corpus = load_corpus(corpus_root, split)
        assert corpus.minutes == pytest.approx(0.5, rel=0.35)
        speakers[split] = {u.speaker for u in corpus}
        assert len(speakers[split]) == 8
        top = corpus_root / ("TRAIN" if split == "train" else "TEST")
        texts = {p.read_text().split(maxsplit=2)[2] for p in top.rglob("*.TXT") if p.parent.name in speakers[split]}
        sentences[split] = texts
    for one, two in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert speakers[one].isdisjoint(speakers[two])
        assert sentences[one].isdisjoint(sentences[two])
        assert set(voices.VOICES[one]).isdisjoint(voices.VOICES[two])


@needs_espeak
def test_labels_cover_the_audio_without_gaps(corpus_root: Path) -> None:
    for u in load_corpus(corpus_root, "train"):
        starts, ends = [a for a, _, _ in u.phones], [b for _, b, _ in u.phones]
        assert starts == [0, *ends[:-1]]
        assert ends[-1] == len(u.audio)
        assert (u.phones[0][2], u.phones[-1][2]) == ("h#", "h#")


@needs_espeak
def test_boundaries_lie_where_the_sound_changes(corpus_root: Path) -> None:
    """The spectrum changes most at the labelled boundaries, not 10 ms before or after, and not less late in a file."""
    shifts_ms = (-40, -30, -20, -10, 0, 10, 20, 30, 40)
    change: dict[int, list[float]] = {shift: [] for shift in shifts_ms}
    for split in voices.SPLITS:
        for u in load_corpus(corpus_root, split):
            mel = log_mel(u.audio)
            for start, _, _ in u.phones[len(u.phones) // 2 :]:
                frame = (start - 200) / 160  # a frame's centre lies 200 samples after its start
                for shift_ms in shifts_ms:
                    before, after = round(frame + shift_ms / 10 - 1.0), round(frame + shift_ms / 10 + 1.0)
                    if before >= 0 and after < len(mel):
                        change[shift_ms].append(float(np.abs(mel[after] - mel[before]).mean()))
    means = {shift_ms: np.mean(values) for shift_ms, values in change.items()}
    assert max(means, key=lambda shift_ms: means[shift_ms]) == 0, means
    assert means[0] > 1.3 * max(means[-40], means[40]), means


@needs_espeak
def test_all_39_phones_occur(corpus_root: Path) -> None:
    counts = Counter(p for split in voices.SPLITS for u in load_corpus(corpus_root, split) for p in u.reference)
    print("phones of the tiny corpus:", " ".join(f"{p} {counts[p]}" for p in phones.PHONES_39))
    assert set(counts) == set(phones.PHONES_39)
    assert max(counts.values()) < 0.15 * sum(counts.values())


@pytest.mark.slow
@needs_espeak
def test_a_complete_split_is_kept_and_a_differing_request_refused(corpus_root: Path) -> None:
    before = {f: f.stat().st_mtime_ns for f in corpus_root.rglob("*.WAV")}
    generate(corpus_root)
    assert {f: f.stat().st_mtime_ns for f in corpus_root.rglob("*.WAV")} == before
    with pytest.raises(subprocess.CalledProcessError):
        generate(corpus_root, "--minutes-dev=0.2", "--splits=dev")


@pytest.mark.slow
@needs_espeak
def test_a_killed_generator_leaves_nothing_that_passes_for_whole(corpus_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "quant.speech.synthesis", f"--out={out}", "--splits=dev", "--quiet", *TINY]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not list(out.rglob("*.WAV")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if not (out / "dev.json").exists():
        with pytest.raises(InputError):
            load_corpus(out, "dev")
    generate(out, "--splits=dev")
    assert load_corpus(out, "dev").digest == load_corpus(corpus_root, "dev").digest
    assert not list(out.glob(".partial*"))


@pytest.mark.slow
@needs_espeak
def test_the_embedded_corpus_is_made_once_and_reused(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded.SIZES, "small", tuple(TINY))
    root = embedded.embedded_corpus(("dev",), size="small", progress=False)
    assert own_cache in root.parents
    description = json.loads((root / "dev.json").read_text())
    corpus = load_corpus(root, "dev")
    assert description["utterances"] == len(corpus)
    assert description["minutes"] == pytest.approx(corpus.minutes, abs=0.01)
    assert not (root / "TRAIN").exists()
    monkeypatch.setattr(embedded, "espeak_available", lambda: False)
    assert embedded.embedded_corpus(("dev",), size="small") == root
    with pytest.raises(InputError, match="pip install 'mohaq\\[corpus\\]'"):
        embedded.embedded_corpus(("test",), size="small")


@pytest.mark.slow
@needs_espeak
def test_damaged_recordings_are_made_again(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(embedded.SIZES, "small", tuple(TINY))
    root = embedded.embedded_corpus(("dev",), size="small", progress=False)
    whole = contents(root, "TEST")
    recording = next(root.glob("TEST/*/*/*.WAV"))
    samples = bytearray(recording.read_bytes())
    samples[-1] ^= 1
    for damage in (
        lambda: recording.write_bytes(samples),
        lambda: (root / "dev.json").write_text("{"),
    ):
        damage()
        caplog.clear()
        assert embedded.embedded_corpus(("dev",), size="small", progress=False) == root
        assert caplog.messages == [f"mohaq: damaged recordings are made again: {root / 'dev.json'} differs"]
        assert contents(root, "TEST") == whole


@pytest.mark.slow
@needs_espeak
def test_a_split_has_the_digest_that_the_generator_wrote_down(corpus_root: Path) -> None:
    for split in voices.SPLITS:
        top = corpus_root / ("TRAIN" if split == "train" else "TEST")
        speakers = split_speakers(corpus_root)[split]
        folders = [folder for folder in top.glob("*/*") if folder.name in speakers]
        assert (
            embedded.digest_of(folders, corpus_root)
            == json.loads((corpus_root / f"{split}.json").read_text())["sha256"]
        )


def test_bad_requests_are_named() -> None:
    with pytest.raises(InputError, match="split: 'eval': it must be one of"):
        embedded.embedded_corpus(("eval",))
    with pytest.raises(InputError, match="size: value 'huge'"):
        embedded.embedded_corpus(size="huge")


def test_an_unwritable_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("MOHAQ_CACHE", str(tmp_path / "a_file"))
    with pytest.raises(InputError, match=r"cannot be written .*; set MOHAQ_CACHE"):
        embedded.embedded_corpus(("dev",))


@needs_espeak
def test_features_of_the_embedded_corpus(corpus_root: Path) -> None:
    corpus = load_corpus(corpus_root, "dev")
    made = compute_features(corpus)
    assert made.frames == pytest.approx(corpus.minutes * 6000, rel=0.02)
    assert all(len(mat) == len(labels) for mat, labels in zip(made.mats, made.labels, strict=True))


def test_nothing_but_the_generator_imports_espeak() -> None:
    package = Path(embedded.__file__).parents[1]
    importers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "quant.speech.espeak import" in path.read_text() or "import espeakng_loader" in path.read_text()
    ]
    assert sorted(importers) == ["speech/espeak.py", "speech/synthesis.py"]


@pytest.mark.parametrize("split", voices.SPLITS)
def test_a_cast_is_varied_and_its_names_are_unique(split: str) -> None:
    full = voices.cast(split, 72, seed=0)
    assert len({s.id for s in full}) == 72
    assert Counter(s.region for s in full) == {f"DR{i}": 9 for i in range(1, 9)}
    assert len({s.voice for s in full}) == 72
    assert sum(s.surroundings.babble for s in full) == 36
    assert all(len(s.id) == 5 and s.id[0] in "FM" for s in full)
    assert [s.id for s in voices.cast(split, 10, seed=0)] == [s.id for s in full[:10]]
