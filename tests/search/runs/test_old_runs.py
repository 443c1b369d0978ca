"""Folders that version 0.1.0 left (revision b8939cd, the tests' stand-in model): refused in one line, shown, repeated."""

import shutil
from pathlib import Path

import pytest
from paths import REFERENCE
from stand_in import StandInModel

from search import Experiment, run
from search.codesign.sweep import sweep
from search.runs.run_reader import load_run
from simulators import InputError

OLD = REFERENCE / "run-0.1.0"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "old")
    return tmp_path / "old"


def test_a_search_of_before_is_refused_with_what_differs(old: Path) -> None:
    experiment = Experiment.load(old / "search" / "run.yaml")
    with pytest.raises(InputError) as error:
        run(experiment, old / "search", resume=True, model=StandInModel())
    assert "the run to resume differs in " in str(error.value)
    assert "code of the simulator" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sweep_of_before_is_refused_with_what_differs(old: Path) -> None:
    experiment = Experiment.load(old / "sweep" / "run.yaml")
    with pytest.raises(InputError, match=r"the run to resume differs in .*code of") as error:
        sweep(experiment, old / "sweep", resume=True, model=StandInModel(), workers=1)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_what_it_found_is_still_read_and_its_experiment_still_runs(old: Path, tmp_path: Path) -> None:
    """Cycles are no longer those of 0.1.0, and so the front is another."""
    before = load_run(old / "search").results
    assert before is not None
    assert {"bits", "cycles"} <= before["front"][0].keys()
    found = run(Experiment.load(old / "search" / "run.yaml"), tmp_path / "again", model=StandInModel())
    assert found.front
    fastest = min(solution.cost.cycles for solution in found.front)
    assert fastest <= 1.02 * min(row["cycles"] for row in before["front"])


@pytest.mark.slow
def test_a_ledger_of_before_is_no_error_and_answers_nothing(old: Path, tmp_path: Path) -> None:
    """Its rows are of other code."""
    (tmp_path / "new").mkdir()
    shutil.copy(old / "search" / "ledger.sqlite", tmp_path / "new")
    model = StandInModel()
    found = run(Experiment.load(old / "search" / "run.yaml"), tmp_path / "new", model=model)
    assert found.evaluated == len(model.evaluations) > 4
