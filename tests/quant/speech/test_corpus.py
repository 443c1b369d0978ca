import os
from pathlib import Path

import numpy as np
import pytest
from timit_tree import PHN, SAMPLES, sphere, tone, write_riff, write_tree

from quant.speech.audio import read_audio
from quant.speech.corpus import load_corpus
from quant.speech.timit import CORE_TEST_SPEAKERS, DEV_SPEAKERS, read_labels
from simulators.inputs.errors import InputError

SPEAKERS = ("TRAIN/DR1/FABC0", "TRAIN/DR2/MXYZ0", "TEST/DR1/FDEV0", "TEST/DR3/MTST0", "TEST/DR3/MOUT0")
SPLITS = "dev: [FDEV0]\ntest: [MTST0]\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_tree(tmp_path, SPEAKERS)
    (tmp_path / "splits.yaml").write_text(SPLITS)
    return tmp_path


def test_the_standard_lists_are_24_and_50_speakers_apart() -> None:
    assert (len(CORE_TEST_SPEAKERS), len(DEV_SPEAKERS)) == (24, 50)
    assert len(set(CORE_TEST_SPEAKERS) | set(DEV_SPEAKERS)) == 74
    assert sum(name.startswith("F") for name in CORE_TEST_SPEAKERS) == 8


def test_splits_drop_sa_sentences_and_other_speakers(tree: Path) -> None:
    assert [u.id for u in load_corpus(tree, "train")] == ["FABC0_SI3", "FABC0_SX2", "MXYZ0_SI3", "MXYZ0_SX2"]
    assert [u.id for u in load_corpus(tree, "dev")] == ["FDEV0_SI3", "FDEV0_SX2"]
    assert {u.speaker for u in load_corpus(tree, "test")} == {"MTST0"}


def test_an_utterance_has_its_audio_labels_and_folded_reference(tree: Path) -> None:
    corpus = load_corpus(tree, "train")
    utterance = corpus.utterances[-1]
    np.testing.assert_array_equal(utterance.audio, tone(1))
    assert utterance.phones[1] == (800, 2400, "sh")
    assert utterance.reference == ["sil", "sh", "ih", "aa", "sil"]
    assert corpus.minutes == pytest.approx(4 * SAMPLES / 16_000 / 60)


def test_real_timit_is_split_by_the_standard_lists_in_lower_case_too(tmp_path: Path) -> None:
    names = [*CORE_TEST_SPEAKERS, *DEV_SPEAKERS, "FXXX0"]
    write_tree(tmp_path, [f"TEST/DR{i % 8 + 1}/{name}" for i, name in enumerate(names)], case=str.lower)
    assert {u.speaker for u in load_corpus(tmp_path, "test")} == set(CORE_TEST_SPEAKERS)
    assert {u.speaker for u in load_corpus(tmp_path, "dev")} == set(DEV_SPEAKERS)
    with pytest.raises(InputError, match="has no folder TRAIN"):
        load_corpus(tmp_path, "train")


def test_the_digest_is_of_the_content_not_of_its_packing(tmp_path: Path) -> None:
    digests = set()
    for name, options in {"a": {}, "b": {"riff": True}, "c": {"case": str.lower}}.items():
        root = write_tree(tmp_path / name, SPEAKERS[:2], **options)  # type: ignore[arg-type]
        digests.add(load_corpus(root, "train").digest)
    assert len(digests) == 1
    phn = tmp_path / "a" / SPEAKERS[0] / "SX2.PHN"
    phn.write_text(PHN.replace("ix", "iy"))
    assert load_corpus(tmp_path / "a", "train").digest not in digests


@pytest.mark.parametrize("order", ["01", "10"])
def test_sphere_of_either_byte_order(tmp_path: Path, order: str) -> None:
    (tmp_path / "x.wav").write_bytes(sphere(tone(5), order))
    np.testing.assert_array_equal(read_audio(tmp_path / "x.wav"), tone(5))


def test_riff_is_told_by_content(tmp_path: Path) -> None:
    write_riff(tmp_path / "x.sph", tone(6))
    np.testing.assert_array_equal(read_audio(tmp_path / "x.sph"), tone(6))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "empty file"),
        (b"OggS....", "begins with b'OggS', expected NIST SPHERE"),
        (sphere(tone(0), coding="pcm,embedded-shorten-v2.00"), "sample_coding 'pcm,embedded-shorten-v2.00'.*sph2pipe"),
        (sphere(tone(0), coding="ulaw"), "only 'pcm' is read"),
        (sphere(tone(0), rate=8_000), "sample rate 8000 Hz, must be 16000 Hz"),
        (sphere(tone(0), count=SAMPLES + 1), "truncated: the header promises 8001 samples, the file holds 8000"),
        (sphere(tone(0)[:0]), "holds no samples"),
        (sphere(tone(0)).replace(b"end_head", b"end_haed"), "SPHERE header"),
        (sphere(tone(0)).replace(b"-i 16000", b"-i 16kHz"), "SPHERE field sample_rate is '16kHz'"),
        (sphere(tone(0)).replace(b"channel_count -i 1", b"channel_count -i 2"), "must be mono"),
        (b"NIST_1A\n   junk\n", "SPHERE header size"),
        (b"NIST_1A\n   9999\n" + bytes(100), "SPHERE header size 9999"),
        (b"NIST_1A", "SPHERE header size"),
        (sphere(tone(0)).replace(b"channel_count -i 1", b"channel_count -i \xb2"), "SPHERE field channel_count is '²'"),
        (sphere(tone(0)).replace(b"-i 16000", b"-i 80\xb200"), "SPHERE field sample_rate is '80²00'"),
        (b"NIST_1A\n   \xb2\n" + bytes(100), "SPHERE header size"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt \xff\xff\xff\x7f" + bytes(30), "broken RIFF file"),
        (b"RIFF\x24\x00\x00\x00WAVEjunk\xff\xff\xff\xff" + bytes(30), "broken RIFF file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "broken RIFF file"),
    ],
)
def test_broken_audio_is_one_line_naming_the_file(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "SX1.WAV"
    path.write_bytes(data)
    with pytest.raises(InputError, match=complaint) as caught:
        read_audio(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_riff_must_be_mono_whole_and_at_16_khz(tmp_path: Path) -> None:
    write_riff(tmp_path / "s.wav", tone(0), channels=2)
    with pytest.raises(InputError, match="2 channels of 16 bits"):
        read_audio(tmp_path / "s.wav")
    write_riff(tmp_path / "r.wav", tone(0), rate=44_100)
    with pytest.raises(InputError, match="44100 Hz"):
        read_audio(tmp_path / "r.wav")
    write_riff(tmp_path / "t.wav", tone(0))
    (tmp_path / "t.wav").write_bytes((tmp_path / "t.wav").read_bytes()[:-100])
    with pytest.raises(InputError, match=r"truncated|broken"):
        read_audio(tmp_path / "t.wav")
    with pytest.raises(InputError, match="cannot be read"):
        read_audio(tmp_path / "none.wav")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "SX1.PHN: holds no phones"),
        ("0 ² h#\n", "SX1.PHN:1: '0 ² h#': must read 'start end phone'"),
        (f"0 {'9' * 5000} h#\n", "SX1.PHN:1: '0 999"),
        ("0 800 h#\n800 abc sh\n", r"SX1.PHN:2: '800 abc sh': must read 'start end phone'"),
        ("0 800 h#\n\n800 900 xx\n", r"SX1.PHN:3: phone 'xx': not one of TIMIT's 61 labels"),
        ("0 800 h#\n800 800 sh\n", "SX1.PHN:2: phone sh ends at 800, must be after its start 800"),
        ("0 800 h#\n0 900 sh\n", "SX1.PHN:2: phone sh starts at 0, not after the one before it"),
        ("0 20000 h#\n", "SX1.PHN:1: phone h# ends at sample 20000, but the audio has 8000"),
    ],
)
def test_broken_labels_are_one_line_with_the_line_number(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "SX1.PHN"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        read_labels(path, SAMPLES)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_labels(path, SAMPLES)


def test_missing_things_are_named(tree: Path) -> None:
    with pytest.raises(InputError, match=r"split: value 'eval': must be one of train, dev, test"):
        load_corpus(tree, "eval")
    with pytest.raises(InputError, match="no such folder"):
        load_corpus(tree / "nowhere", "dev")
    (tree / SPEAKERS[0] / "SX2.PHN").unlink()
    with pytest.raises(InputError, match=r"FABC0/SX2.PHN: missing"):
        load_corpus(tree, "train")
    (tree / "splits.yaml").write_text("dev: [FDEV0, FGON0]\ntest: [MTST0]\n")
    with pytest.raises(InputError, match="speaker FGON0 of split dev is missing"):
        load_corpus(tree, "dev")
    for file in (tree / SPEAKERS[0]).iterdir():
        file.unlink()
    with pytest.raises(InputError, match="has no sentences"):
        load_corpus(tree, "train")


ALIASES = (
    "dev: [&a0 [x], " + ", ".join(f"&a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)) + "]\ntest: [b]\n"
)
"""Twenty lines that say a hundred million."""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dev: [", r"splits.yaml:2:1: "),
        ("dev: [FDEV0]\n", "must map .dev., .test."),
        ("dev: FDEV0\ntest: [MTST0]\n", "dev: value 'FDEV0': must be a list"),
        ("dev: [FDEV0]\ntest: [010]\n", r"splits.yaml:2:8: 010: a leading zero"),
        (ALIASES, r"splits.yaml:\d+:\d+: .*aliases counted as often as they are used"),
        ("dev: [MTST0]\ntest: [MTST0]\n", "test: speaker MTST0 is in dev too"),
    ],
)
def test_a_bad_list_of_splits_is_named(tree: Path, text: str, complaint: str) -> None:
    (tree / "splits.yaml").write_text(text)
    with pytest.raises(InputError, match=complaint):
        load_corpus(tree, "dev")


def test_what_cannot_be_used_is_skipped_and_counted_on_request(tree: Path) -> None:
    speaker = tree / SPEAKERS[0]
    whole = load_corpus(tree, "train")
    (speaker / "SX2.WAV").write_bytes((speaker / "SX2.WAV").read_bytes()[:-400])
    with pytest.raises(InputError, match=r"SX2\.WAV: truncated"):
        load_corpus(tree, "train")
    rest = load_corpus(tree, "train", skip_bad=True)
    assert len(rest) == len(whole) - 1
    assert rest.skipped[0].endswith("bytes") or "truncated" in rest.skipped[0]
    assert rest.digest != whole.digest
    for file in [*speaker.iterdir(), *(tree / SPEAKERS[1]).iterdir()]:
        if file.suffix == ".PHN":
            file.write_text("0 9999999 aa\n")
    with pytest.raises(InputError, match=r"every utterance of train was skipped; the first: .*SI3\.PHN:1"):
        load_corpus(tree, "train", skip_bad=True)


@pytest.mark.parametrize("name", ["SX2.WAV", "SX2.PHN"])
@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        Path.mkdir,
        lambda path: os.symlink("/dev/zero", path),
        lambda path: path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt \xff\xff\xff\x7f" + bytes(30)),
        lambda path: path.write_bytes(bytes(10)),
    ],
)
def test_what_is_no_file_is_refused_unopened_and_can_be_skipped(tree: Path, name: str, make) -> None:
    whole = load_corpus(tree, "train")
    path = tree / SPEAKERS[0] / name
    path.unlink()
    make(path)
    with pytest.raises(InputError, match=name):
        load_corpus(tree, "train")
    rest = load_corpus(tree, "train", skip_bad=True)
    assert (len(rest), len(rest.skipped)) == (len(whole) - 1, 1)


def test_a_list_of_splits_that_is_no_file_is_refused_unopened(tree: Path) -> None:
    (tree / "splits.yaml").unlink(missing_ok=True)
    os.mkfifo(tree / "splits.yaml")
    with pytest.raises(InputError, match=r"splits\.yaml: it is a FIFO"):
        load_corpus(tree, "dev")
