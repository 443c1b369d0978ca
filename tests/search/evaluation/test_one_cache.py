"""Models of one worker keep the results that their evaluations share within one budget, and do not mix them up."""

from functools import partial
from pathlib import Path

import pytest
from stand_in import StandInModel

from quant import Recogniser, homogeneous, load_model
from quant.arithmetic.clipping import Scheme
from quant.evaluation.prefix_cache import PrefixCache
from search.evaluation.executors import worker
from search.evaluation.executors.worker import MOST_MODELS, OnUtterances, Source, forget, loaded


def test_models_of_a_worker_share_one_budget(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.evaluation.executors.worker._models", {})
    alone = load_model(small_model), load_model(small_model, scheme=Scheme(per_channel=True))
    assert alone[0].digest != alone[1].digest
    made = [partial(load_model, small_model), partial(load_model, small_model, scheme=Scheme(per_channel=True))]
    sources = [Source.of(model, make) for model, make in zip(alone, made, strict=True)]
    positions = tuple(range(0, len(alone[0].scored.reference_phones), 2))
    sources.append(Source.of(alone[0].on_utterances(positions), OnUtterances(sources[0], positions)))
    expected = [alone[0], alone[1], load_model(small_model).on_utterances(positions)]
    candidates = [homogeneous(alone[0].sites, width, 8) | {"FC": (bits, 8)} for width in (4, 8) for bits in (2, 4, 8)]
    first = loaded(sources[0])
    assert isinstance(first, Recogniser)
    first._cache = cache = PrefixCache(2 << 20)  # results of a few candidates alone
    for _ in range(2):
        for source, as_alone in zip(sources, expected, strict=True):
            model = loaded(source)
            assert isinstance(model, Recogniser)
            assert model._cache is cache
            for bits in candidates:
                assert model.evaluate_population([bits]) == as_alone.evaluate_population([bits])
                assert 0 < cache.bytes <= cache.capacity_bytes
    kept = {key[0][0] for key in cache._entries}  # type: ignore[index]
    assert len(kept) > 1
    assert sum(entry.nbytes for entry in cache._entries.values()) == cache.bytes
    for source in sources:
        forget(source)


def test_a_process_keeps_the_models_that_were_wanted_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """As retraining every candidate makes a model of each."""
    monkeypatch.setattr("search.evaluation.executors.worker._models", {})
    made: list[str] = []

    def make(digest: str) -> StandInModel:
        made.append(digest)
        return StandInModel(digest=digest)

    sources = [Source.of(StandInModel(digest=f"{n}"), partial(make, f"{n}")) for n in range(3 * MOST_MODELS)]
    for source in sources:
        assert loaded(source).digest == source.digest
        loaded(sources[0])  # which is wanted all along
    assert len(worker._models) == MOST_MODELS
    loaded(sources[-2])
    assert len(made) == len(sources)
    assert loaded(sources[1]).digest == "1"  # given up, and made again
    assert made == [*(source.digest for source in sources), "1"]
