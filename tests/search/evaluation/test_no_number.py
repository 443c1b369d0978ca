"""Candidates whose error is NaN or infinite: infeasible, named, and in the ledger, whatever the method."""

import io
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stand_in import StandInError, StandInModel

from search import Experiment, run
from search.codesign.sweep import sweep
from search.methods.registry import METHODS
from search.runs.run_reader import load_run
from search.runs.search_display import SearchDisplay, print_results
from simulators import InputError
from simulators.inputs.terminal import Terminal

SETTINGS: dict[str, Any] = {
    "name": "s", "population": 8, "offspring": 4, "generations": 3, "seed": 2, "steps": 5, "constraints": {"error": 40.0},
}  # fmt: skip


@dataclass
class Unsure(StandInModel):
    """`wrong` is measured where the first site has weights of 2 bits."""

    wrong: Any = float("nan")

    def evaluate(self, bits: Mapping[str, tuple[int, int]]) -> StandInError:
        rate = super().evaluate(bits)
        return StandInError(self.wrong, rate.error) if bits["L0"][0] == 2 else rate


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(METHODS.names()))
@pytest.mark.parametrize("wrong", [float("nan"), np.float32("inf"), -np.inf])
def test_they_are_infeasible_named_and_recorded(method: str, wrong: float, tmp_path: Path) -> None:
    experiment = Experiment(**SETTINGS, method=method)
    shown = io.StringIO()
    display = SearchDisplay(Terminal(shown, width=500))
    with display:
        found = run(experiment, tmp_path / "run", model=Unsure(wrong=wrong), progress=display)
    named = {solution.name for solution in found.no_number}
    assert named == {s.name for s in found.visited if s.bits["L0"][0] == 2}
    assert named
    assert found.front
    assert not [s for s in found.front if s.name in named]
    assert not found.set_aside
    text = shown.getvalue()
    assert all(f"infeasible: the model measured no number as its error: {name}" in text for name in named)

    with closing(sqlite3.connect(tmp_path / "run/ledger.sqlite")) as ledger:
        rows = dict(ledger.execute("SELECT candidate, result FROM errors"))
    assert all(json.loads(rows[name])["error"] in ("nan", "inf", "-inf") for name in named)

    again = Unsure(wrong=wrong)
    resumed = run(experiment, tmp_path / "run", resume=True, model=again)
    assert not again.evaluations
    assert [s.name for s in resumed.front] == [s.name for s in found.front]
    results = load_run(tmp_path / "run").results
    assert results is not None
    assert {*results["no_number"]} == named
    assert results["screened"] == 0
    told = io.StringIO()
    print_results(results, tmp_path / "run", Terminal(told, width=500))
    assert all(
        f"infeasible, for the model measured no number as its error: {name}" in told.getvalue() for name in named
    )


def test_a_baseline_that_is_no_number_is_one_line(tmp_path: Path) -> None:
    class Lost(StandInModel):
        def evaluate(self, bits: Mapping[str, tuple[int, int]]) -> StandInError:
            return StandInError(float("nan"), float("nan"))

    settings = {**SETTINGS, "constraints": {"error_increase": 8.0}}
    with pytest.raises(InputError, match="the 16-bit baseline has no error: the model measured no number"):
        run(Experiment(**settings), tmp_path / "run", model=Lost())


@pytest.mark.slow
def test_a_sweep_leaves_them_out_and_says_how_many(tmp_path: Path) -> None:
    experiment = Experiment.model_validate(
        {**SETTINGS, "hardware": {"grid": {"array.rows": [8, 16]}}, "candidates": ["2", "8"]}
    )
    found = sweep(experiment, tmp_path / "sweep", model=Unsure(), workers=1)
    assert found.reasons() == {"the model measured no number as its error": 2}
    assert {bits["L0"][0] for bits in found.candidates} == {8}


@pytest.mark.parametrize("number", [np.float32(20.5), np.float64(20.5), np.array(20.5), torch.tensor(20.5), 20])
def test_scalars_of_libraries_are_numbers(number: Any, tmp_path: Path) -> None:
    found = run(Experiment(**SETTINGS, method="random"), tmp_path / "run", model=Unsure(wrong=number))
    assert not found.no_number
    assert {type(s.quality.error) for s in found.visited if s.quality} == {float}


@pytest.mark.parametrize("nothing", [None, "high", [1.0, 2.0], 1j])
def test_what_is_no_number_at_all_is_one_line(nothing: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the model measured an error of .*: it must be a number"):
        run(Experiment(**SETTINGS), tmp_path / "run", model=Unsure(wrong=nothing))
