"""A recogniser on another split than that of the search: its errors, counted by utterance, under a digest of its own."""

from pathlib import Path

import pytest

from quant import homogeneous, load_model
from search.held_out.resampling import edits_of, rates


def test_a_part_of_dev_becomes_all_of_dev_or_test(small_model: Path) -> None:
    part, whole = load_model(small_model, every=3), load_model(small_model)
    bits = homogeneous(part.sites, 4, 8)
    assert len({model.data_digest for model in (part, part.on_split("dev"), part.on_split("test"))}) == 3
    assert part.on_split("dev").data_digest == whole.data_digest
    for split in ("dev", "test"):
        on_split = part.on_split(split)
        assert on_split.digest == part.digest
        assert on_split.evaluate(bits) == on_split.evaluate_population([bits])[0] == whole.evaluate(bits, split)
    assert part.evaluate(bits).reference_phones < whole.evaluate(bits).reference_phones
    assert whole.on_split("dev") is whole
    assert part.on_split("test").on_split("dev").data_digest == whole.data_digest


def test_utterances_err_in_parts_as_they_do_together(small_model: Path) -> None:
    whole = load_model(small_model)
    bits = [homogeneous(whole.sites, width, 8) for width in (2, 4)]
    positions = range(len(whole.scored.reference_phones))
    parts = [tuple(i for i in positions if (i // 3) % 2 == part) for part in range(2)]
    models = [whole.on_utterances(part) for part in parts]
    assert len({model.data_digest for model in (whole, *models)}) == 3
    together = [rate.edits for rate in whole.evaluate_population(bits)]
    for part, model in zip(parts, models, strict=True):
        assert model.scored.subset_of.tolist() == whole.scored.subset_of[[*part]].tolist()
        found = [rate.edits for rate in model.evaluate_population(bits)]
        assert found == [tuple(edits[i] for i in part) for edits in together]


def test_edits_of_utterances_add_up_to_the_rates(small_model: Path) -> None:
    model = load_model(small_model).on_split("test")
    rate, scored = model.evaluate(homogeneous(model.sites, 4)), model.scored
    assert sum(rate.edits) == rate.substitutions + rate.insertions + rate.deletions
    assert scored.reference_phones.sum() == rate.reference_phones
    counted = rates(edits_of([rate.edits], scored), scored, edits_of([[1] * len(rate.edits)], scored))
    assert counted.worst[0, 0] == pytest.approx(rate.error_max)
    assert counted.plain[0, 0] == pytest.approx(rate.error)
    assert "edits" not in rate.to_dict()
