"""Features that are computed have a bar of their own, those at hand none."""

import io
from pathlib import Path

import numpy as np
import pytest

from quant.runs.training_run import features_progress
from quant.speech.features import load_features
from quant.speech.units import PHONES
from quant.speech.utterances import Corpus, Utterance
from simulators.inputs.terminal import Terminal


def test_a_bar_moves_while_features_are_computed_and_not_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOHAQ_CACHE", str(tmp_path))
    audio = np.random.default_rng(0).integers(-999, 999, 4000).astype(np.int16)
    said = ((0, 4000, "h#"),)
    corpus = Corpus("train", tuple(Utterance(f"U{i}", "S", audio, said, PHONES) for i in range(3)))

    def seen() -> tuple[list[tuple[int, int]], bool]:
        """What was told while the features were loaded, and whether a bar was shown."""
        told: list[tuple[int, int]] = []
        page = io.StringIO()
        with features_progress(Terminal(file=page, width=80)) as on_utterance:
            move = on_utterance("train")

            def both(done: int, total: int) -> None:
                told.append((done, total))
                move(done, total)

            load_features(corpus, both)
        return told, "features of train" in page.getvalue()

    assert seen() == ([(1, 3), (2, 3), (3, 3)], True)
    assert seen() == ([], False)
