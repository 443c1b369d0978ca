from pathlib import Path

import numpy as np
import pytest
from timit_tree import write_tree

from quant.speech import features, phones
from quant.speech.corpus import load_corpus
from quant.speech.utterances import Corpus, Utterance

pytest.importorskip("kaldi_native_fbank")
from simulators.inputs.errors import InputError


def mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log(1.0 + np.asarray(hz) / 700.0)


def reference_log_mel(audio: np.ndarray) -> np.ndarray:
    """Kaldi's filterbank, written out: no mean, pre-emphasis 0.97, Povey window, power spectrum, triangles on mel."""
    frames = []
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    edges = np.linspace(mel(20.0), mel(8_000.0), features.BANDS + 2)
    bins = mel(np.arange(257) * 16_000 / 512)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[:, 256] = 0.0
    for start in range(0, len(audio) - 399, 160):
        x = audio[start : start + 400] / 32_768.0
        x = x - x.mean()
        x = x - 0.97 * np.concatenate([x[:1], x[:-1]])
        power = np.abs(np.fft.rfft(x * window, 512)) ** 2
        frames.append(np.log(np.maximum(weights @ power, np.finfo(np.float32).eps)))
    return np.array(frames)


def test_the_filterbank_is_kaldis() -> None:
    audio = (2000 * np.random.default_rng(0).standard_normal(4_000)).astype(np.int16)
    found = features.log_mel(audio)
    assert found.shape == (1 + (4_000 - 400) // 160, 23)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference_log_mel(audio), atol=5e-3)
    assert features.log_mel(audio[:399]).shape == (0, 23)


def utterance(*labels: tuple[int, int, str]) -> Utterance:
    return Utterance("A_B", "A", np.zeros(labels[-1][1], np.int16), labels)


def test_frames_are_labelled_at_their_centres_in_thirds() -> None:
    # Centres lie at 200 + 160 t. Frames 0–2: silence; 3–8: s; 9: t alone; 10–11: iy.
    u = utterance((0, 600, "h#"), (600, 1560, "s"), (1560, 1720, "t"), (1720, 2100, "iy"))
    states = features.frame_states(u, 12)
    names = [(phones.PHONES_39[state // 3], state % 3) for state in states]
    assert names == [
        ("sil", 0), ("sil", 1), ("sil", 2), ("s", 0), ("s", 0), ("s", 1), ("s", 1), ("s", 2), ("s", 2),
        ("t", 1), ("iy", 0), ("iy", 2),
    ]  # fmt: skip


def test_silences_merge_and_a_glottal_stop_goes_to_the_phone_before() -> None:
    u = utterance((0, 320, "h#"), (320, 640, "pau"), (640, 960, "ae"), (960, 1280, "q"), (1280, 1900, "n"))
    states = features.frame_states(u, 10)
    assert [phones.PHONES_39[s // 3] for s in states] == ["sil"] * 3 + ["ae"] * 4 + ["n"] * 3
    assert (states[:3] % 3).tolist() == [0, 1, 2]


def test_features_come_back_the_same_from_the_cache(tmp_path: Path, own_cache: Path) -> None:
    root = write_tree(tmp_path / "timit", ["TRAIN/DR1/FABC0", "TRAIN/DR2/MXYZ0"])
    corpus = load_corpus(root, "train")
    first = features.load_features(corpus)
    assert len(list((own_cache / "features").iterdir())) == 1
    second = features.load_features(corpus)
    fresh = features.compute_features(corpus)
    for a, b, c in zip(first.mats, second.mats, fresh.mats, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    for field in ("split", "digest", "ids", "speakers"):
        assert getattr(first, field) == getattr(fresh, field)
    for name in ("labels", "phones"):
        for a, b in zip(getattr(first, name), getattr(fresh, name), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype == np.int16
    assert [phones.PHONES_39[p] for p in first.phones[0]] == corpus.utterances[0].reference


def test_a_damaged_cache_is_made_anew_and_an_unwritable_one_done_without(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = load_corpus(write_tree(tmp_path / "timit", ["TRAIN/DR1/FABC0"]), "train")
    first = features.load_features(corpus)
    (file,) = (own_cache / "features").iterdir()
    whole = file.read_bytes()
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["mats"] = changed["mats"] + 1
    np.savez(file, **changed)
    other = file.read_bytes()
    assert not caplog.messages
    for damaged in (whole[:1000], other, b""):
        file.write_bytes(damaged)
        caplog.clear()
        np.testing.assert_array_equal(features.load_features(corpus).mats[0], first.mats[0])
        (said,) = caplog.messages
        assert said.startswith(f"mohaq: damaged features are made again: {file}: ")
        assert file.read_bytes() == whole
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("MOHAQ_CACHE", str(tmp_path / "a_file"))
    np.testing.assert_array_equal(features.load_features(corpus).mats[0], first.mats[0])


def test_other_content_has_another_key() -> None:
    one = Corpus("dev", (utterance((0, 600, "h#")),))
    two = Corpus("dev", (utterance((0, 601, "h#")),))
    assert features.cache_key(one) != features.cache_key(two)
    assert features.cache_key(one) == features.cache_key(Corpus("dev", one.utterances))


def test_normalisation_by_training_statistics(tmp_path: Path) -> None:
    raw = features.compute_features(load_corpus(write_tree(tmp_path, ["TRAIN/DR1/FABC0", "TRAIN/DR2/MXYZ0"]), "train"))
    statistics = raw.statistics()
    stacked = np.concatenate(raw.normalised(statistics).mats)
    np.testing.assert_allclose(stacked.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(stacked.std(axis=0), 1.0, atol=1e-4)
    assert stacked.dtype == np.float32
    assert raw.frames == len(stacked) == raw.state_counts().sum()
    assert len(raw.state_counts()) == raw.units.classes == 117


def test_an_utterance_without_frames_is_named() -> None:
    short = Utterance("A_B", "A", np.zeros(300, np.int16), ((0, 300, "aa"),))
    with pytest.raises(InputError, match="utterance A_B: no frames"):
        features.compute_features(Corpus("dev", (short,)))
