"""Fronts held against test and all of dev, of searches with a stand-in model that has luck in its errors."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from split_stand_in import MakeSplitModel, SplitModel, experiment, printed, results_in
from stand_in import StandInModel

from quant.sites.candidate import name_of
from search import Run, run
from search.evaluation.executors.cluster import Dask
from search.evaluation.executors.executor import Inline
from search.evaluation.executors.pool import Pool
from search.evaluation.ledger import Ledger, errors_of
from search.objectives.columns import HELD_OUT
from search.objectives.dominance import dominators
from simulators import InputError


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A search on a third of dev."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return run(experiment(), folder, model=SplitModel(every=3)), folder


def test_the_front_and_the_baselines_are_evaluated_on_test_and_all_of_dev(searched: tuple[Run, Path]) -> None:
    found, folder = searched
    content = results_in(folder)
    assert len(content["front"]) == len(found.front) > 3
    for row in (*content["front"], *content["baselines"]):
        bits = {pair.split("=")[0]: tuple(map(int, pair.split("=")[1].split("x"))) for pair in row["bits"].split(",")}
        for split in ("dev", "test"):
            of_split = SplitModel(split=split).evaluate(bits)
            assert row[f"error_{split}"] == pytest.approx(of_split.error_max, abs=1e-4)
            assert row[f"error_{split}_plain"] == pytest.approx(of_split.error, abs=1e-4)
        assert row["error"] == pytest.approx(SplitModel(every=3).evaluate(bits).error_max, abs=1e-4)
        assert row["test_change_low"] <= row["test_change"] <= row["test_change_high"] or row["test_change"] == 0
    base = next(row for row in content["baselines"] if row["solution"] == "16-bit")
    assert [base[name] for name in HELD_OUT if name.startswith("test_change")] == [0.0] * 6
    for row in content["front"]:
        for kind in ("", "_plain"):
            change = row[f"error_test{kind}"] - base[f"error_test{kind}"]
            assert row[f"test_change{kind}"] == pytest.approx(change, abs=2e-4)


@pytest.mark.slow
def test_what_was_found_is_there_while_it_is_held_against_test(
    searched: tuple[Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> Run:
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("search.runs.driver.checked", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(experiment(), folder, model=SplitModel(every=3))
    before = results_in(folder)
    assert before["held_out"] is None
    assert [row["bits"] for row in before["front"]] == [name_of(found.bits) for found in searched[0].front]
    run(experiment(), folder, resume=True, model=SplitModel(every=3))
    assert (folder / "pareto.json").read_bytes() == (searched[1] / "pareto.json").read_bytes()


def test_words_are_what_the_errors_say(searched: tuple[Run, Path], capsys: pytest.CaptureFixture[str]) -> None:
    _, folder = searched
    content = results_in(folder)
    front, base = content["front"], next(row for row in content["baselines"] if row["solution"] == "16-bit")
    for row in front:
        better = {
            other["solution"] for other in front
            if other["error_test"] <= row["error_test"] and other["latency_ms"] <= row["latency_ms"]
            and other["energy_uj"] <= row["energy_uj"] and other["bits"] != row["bits"]
        }  # fmt: skip
        assert row["dominated_on_test_by"] in (better or {""})
        lost = row["error_dev"] < base["error_dev"] and row["error_test"] >= base["error_test"]
        assert row["lost_on_test"] == int(lost)
    dominated = [row["solution"] for row in front if row["dominated_on_test_by"]]
    lost = [row["solution"] for row in front if row["lost_on_test"]]
    assert dominated
    text = printed(folder, capsys)
    assert f"dominated on test by others of the front: {len(dominated)} of {len(front)}: {', '.join(dominated)}" in text
    assert ("err less than 16 bits on dev, and no less on test: " + ", ".join(lost) in text) == bool(lost)
    assert f"dominated by {front[int(dominated[0])]['dominated_on_test_by']}" in text
    assert "dev % test %" in text
    assert "40 utterances" in text


def test_rows_of_files_have_the_columns(searched: tuple[Run, Path]) -> None:
    _, folder = searched
    rows = list(csv.DictReader((folder / "pareto.csv").open()))
    for row, in_json in zip(rows, results_in(folder)["front"], strict=True):
        assert {name: row[name] for name in HELD_OUT} == {name: str(in_json[name]) for name in HELD_OUT}
        assert float(row["error_test"]) > 0


def test_luck_is_in_one_line(searched: tuple[Run, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found, folder = searched
    luck = results_in(folder)["held_out"]["luck"]
    assert luck["candidates"] == sum(found.feasible)
    lowest = min(
        s.quality.error for s, feasible in zip(found.visited, found.feasible, strict=True) if feasible and s.quality
    )
    assert luck["lowest"] == pytest.approx(lowest, abs=1e-4)
    assert luck["points"] > 0
    assert f"the lowest of {luck['candidates']} errors, {lowest:.2f} %, is expected to be about" in printed(
        folder, capsys
    )


def test_a_model_without_test_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = StandInModel()
    found = run(experiment(), tmp_path / "run", model=model)
    content = results_in(tmp_path / "run")
    for row in (*content["front"], *content["baselines"]):
        assert all(row[name] is None or row[name] == "" for name in HELD_OUT)
    assert "not evaluated on test: the model has no other data" in printed(tmp_path / "run", capsys)
    assert "luck" not in printed(tmp_path / "run", capsys)
    assert found.check is not None
    assert len(model.evaluations) == len({name_of(bits) for bits in model.evaluations})


class NoTest(SplitModel):
    """Its test split cannot be read."""

    def on_split(self, split: str) -> SplitModel:
        if split == "test":
            raise InputError("corpus: it has no test")
        return super().on_split(split)


def test_a_test_split_that_cannot_be_read_costs_no_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(experiment(generations=0), tmp_path / "run", model=NoTest())
    assert "not evaluated on test: corpus: it has no test" in printed(tmp_path / "run", capsys)
    assert "luck: the lowest of" in printed(tmp_path / "run", capsys)


class OneNumber(SplitModel):
    """Counts edits, but not by utterance."""

    def evaluate(self, bits: Any) -> Any:
        return replace(super().evaluate(bits), edits=17)


def test_edits_that_are_not_of_utterances_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="the model measured edits of 17: they must be whole numbers, one an utterance"
    ):
        run(experiment(generations=0), tmp_path / "run", model=OneNumber())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["inline", "workers", "dask"])
def test_executors_find_the_same_and_a_second_time_nothing_is_evaluated(kind: str, tmp_path: Path) -> None:
    run(experiment(generations=1), tmp_path / "whole", model=SplitModel(every=3))
    make, model = MakeSplitModel(every=3), SplitModel(every=3)
    if kind == "inline":
        run(experiment(generations=1), tmp_path / "run", model=model)
    else:
        with Pool(2) if kind == "workers" else Dask(2) as executor:
            run(experiment(generations=1), tmp_path / "run", model=model, factory=make, executor=executor)
    for file in ("pareto.csv", "pareto.json"):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    again = SplitModel(every=3)
    run(experiment(generations=1), tmp_path / "run", resume=True, model=again)
    assert again.asked == []
    assert (tmp_path / "run/pareto.json").read_bytes() == (tmp_path / "whole/pareto.json").read_bytes()


def test_the_ledger_has_each_split_under_its_own_key(tmp_path: Path) -> None:
    model = SplitModel(every=3)
    found = run(experiment(generations=1), tmp_path / "run", model=model)
    ledger = Ledger(tmp_path / "run/ledger.sqlite")
    keys = [errors_of(m) for m in (model, model.on_split("dev"), model.on_split("test"))]
    checked = {s.name for s in (*found.front, *found.baselines.values())}
    counts = [set(ledger.candidates(key)) for key in keys]
    assert counts[1] == counts[2] == checked
    assert counts[0] == {s.name for s in (*found.visited, *found.baselines.values())}
    lengths = {len(ledger.find_error(key, found.front[0].name)["edits"]) for key in keys}  # type: ignore[index]
    assert lengths == {16, 48, 40}


def test_a_whole_dev_is_not_evaluated_twice(tmp_path: Path) -> None:
    model = SplitModel()
    found = run(experiment(generations=1), tmp_path / "run", model=model)
    assert len(model.asked) == len(set(model.asked))
    assert found.check is not None
    assert all(found.check.dev[s.chosen.key].error == s.quality.error for s in found.front if s.quality)


def test_dominators_are_the_best_of_what_dominates() -> None:
    values = np.array([[2.0, 2.0], [1.0, 2.0], [1.5, 1.5], [2.0, 2.0], [np.nan, 0.0]])
    assert dominators(values) == [1, None, None, 1, None]
    generator = np.random.default_rng(0)
    values = generator.integers(0, 6, (60, 3)).astype(float)
    for row, by in zip(values, dominators(values), strict=True):
        better = [other for other in values if (other <= row).all() and (other < row).any()]
        assert (by is None) == (not better)
        if by is not None:
            assert values[by].tolist() == min(other.tolist() for other in better)


def test_a_search_without_the_check_evaluates_nothing_of_test(tmp_path: Path) -> None:
    found = run(experiment(), tmp_path / "run", model=SplitModel(every=3), check=False)
    assert found.check is None
    assert "error_test" not in results_in(tmp_path / "run")["front"][0]


def test_what_stops_an_evaluation_on_test_is_no_missing_split(tmp_path: Path) -> None:
    """The run is not finished, and goes on with test."""

    class Lost(Inline):
        def map(self, recognition: Any, groups: Any) -> Any:
            if groups and recognition.model.split == "test":
                raise InputError("the cluster is lost")
            return super().map(recognition, groups)

    with pytest.raises(InputError, match="the cluster is lost"):
        run(experiment(), tmp_path / "run", model=SplitModel(), executor=Lost())
    assert results_in(tmp_path / "run")["held_out"] is None
    run(experiment(), tmp_path / "run", resume=True, model=SplitModel())
    assert results_in(tmp_path / "run")["held_out"]["why_not"] == ""
