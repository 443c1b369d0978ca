"""Joint fronts of sweeps and of searches over hardware, held against test and all of dev."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from split_stand_in import SplitModel
from split_stand_in import experiment as search_experiment
from stand_in import StandInModel

from quant.sites.candidate import name_of
from search import Experiment, run
from search.codesign.hardware_search import search_hardware
from search.codesign.sweep import sweep
from search.codesign.sweep_display import print_results
from search.objectives.columns import HELD_OUT
from search.runs.run_reader import load_run
from simulators.inputs.terminal import Terminal


def experiment(**changes: Any) -> Experiment:
    base = {
        "name": "t", "model": "none", "steps": 5, "objectives": ["error", "latency", "area"], "method": "nsga2",
        "hardware": {"archs": ["bitfusion"], "grid": {"array.rows": [4, 8]}}, "candidates": {"random": 12},
    }  # fmt: skip
    return Experiment.model_validate({**base, **changes})


def content_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "sweep.json").read_text())
    return content


@pytest.mark.slow
def test_a_joint_front_is_evaluated_on_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = SplitModel(every=3)
    found = sweep(experiment(), tmp_path / "run", model=model, workers=1)
    content = content_of(tmp_path / "run")
    of_test = {}
    for row in content["front"]:
        bits = {pair.split("=")[0]: tuple(map(int, pair.split("=")[1].split("x"))) for pair in row["bits"].split(",")}
        of_test[row["bits"]] = SplitModel(split="test").evaluate(bits).error_max
        assert row["error_test"] == pytest.approx(of_test[row["bits"]], abs=1e-4)
        assert row["error_dev"] == pytest.approx(SplitModel().evaluate(bits).error_max, abs=1e-4)
    for row in content["front"]:
        better = {
            other["solution"] for other in content["front"]
            if all(other[name] <= row[name] for name in ("error_test", "latency_ms", "area_mm2"))
            and any(other[name] < row[name] for name in ("error_test", "latency_ms", "area_mm2"))
        }  # fmt: skip
        assert row["dominated_on_test_by"] in (better or {""})
    base = name_of(dict.fromkeys(("L0", "P1", "L1", "FC"), (16, 16)))
    assert {name for split, _, name in model.asked if split == "test"} == {*of_test, base}  # each once
    assert found.check is not None
    print_results(load_run(tmp_path / "run").results or {}, tmp_path / "run", Terminal(width=200))
    text = " ".join(capsys.readouterr().out.split())
    assert "luck: the lowest of" in text
    assert "test %" in text
    rows = list(csv.DictReader((tmp_path / "run/sweep.csv").open()))
    assert [float(row["error_test"]) for row in rows] == [row["error_test"] for row in content["front"]]
    assert {*HELD_OUT} <= {*rows[0]}


@pytest.mark.slow
def test_a_model_without_test_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(experiment(), tmp_path / "run", model=StandInModel(), workers=1)
    assert all(row["error_test"] is None for row in content_of(tmp_path / "run")["front"])
    print_results(content_of(tmp_path / "run"), tmp_path / "run", Terminal(width=200))
    assert "not evaluated on test" in capsys.readouterr().out


@pytest.mark.slow
def test_a_front_that_was_tested_is_not_tested_again(tmp_path: Path) -> None:
    run(search_experiment(generations=0), tmp_path / "search", model=SplitModel(every=3))
    model = SplitModel(every=3)
    sweep(experiment(candidates=str(tmp_path / "search")), tmp_path / "run", model=model, workers=1)
    assert model.asked == []
    assert all(row["error_test"] is not None for row in content_of(tmp_path / "run")["front"])


@pytest.mark.slow
def test_a_search_over_hardware_is_checked_and_resumed(tmp_path: Path) -> None:
    settings = experiment(candidates=None, population=8, offspring=4, generations=1)
    search_hardware(settings, tmp_path / "run", model=SplitModel(every=3))
    first = (tmp_path / "run/sweep.json").read_bytes()
    assert all(row["error_test"] is not None for row in json.loads(first)["front"])
    again = SplitModel(every=3)
    search_hardware(settings, tmp_path / "run", resume=True, model=again)
    assert again.asked == []
    assert (tmp_path / "run/sweep.json").read_bytes() == first
