"""Searches without the barrier of a generation: their order is repeated whatever evaluates them, and workers are busy."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from beside import Beside, Stop
from paths import ROOT
from slow_stand_in import SlowModel, notes_of
from slow_stand_in import experiment as slow_experiment
from stand_in import StandInModel
from virtual_time import Thinking, VirtualTime

from quant.sites.candidate import name_of
from search import Experiment, Run, run
from search.evaluation.executors.executor import Inline
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.runs.run_reader import load_run
from simulators import InputError

BUDGET = 20 + 6 * 4


def experiment(**changes: Any) -> Experiment:
    settings = {"name": "t", "model": "none", "population": 20, "offspring": 6, "generations": 4, "steps": 5,
                "method": "random", "constraints": {}, **changes}  # fmt: skip
    return Experiment.model_validate(settings)


def searched(folder: Path, executor: Any, resume: bool = False, **changes: Any) -> Run:
    return run(experiment(**changes), folder, resume, model=StandInModel(), executor=executor)


def events(folder: Path) -> list[dict[str, Any]]:
    with closing(Ledger(folder / LEDGER_FILE)) as ledger:
        return [json.loads(text) for text in ledger.events()]


def visited(result: Run) -> list[str]:
    return [solution.name for solution in result.visited]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search by four workers."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    executor = Beside(4)
    result = searched(folder, executor)
    assert len(result.visited) == BUDGET == len({*visited(result)})
    assert min(executor.at_once[:-8]) >= 4  # all of them are busy up to the last
    return folder


def test_what_is_asked_and_told_is_in_the_ledger(whole: Path) -> None:
    first, *order = events(whole)
    assert first == {"begin": 0}
    assert order[0]["ask"] == 4 + 2  # for four workers, and some behind
    asked: list[list[int]] = []
    told: list[int] = []
    for event in order:
        asked += event.get("genes", [])
        told += event.get("tell", [])
        assert {*told} <= {*range(len(asked))}
    assert len(asked) == BUDGET
    assert sorted(told) == [*range(BUDGET)]
    assert told != sorted(told)


@pytest.mark.slow
def test_the_front_is_as_good_as_with_the_barrier(tmp_path: Path) -> None:
    """By the default method, few of a front's solutions are dominated by any of the other."""
    settings = {"method": "surrogate", "population": 16, "generations": 2}
    fronts = []
    for executor in (Beside(3), Inline()):
        folder = tmp_path / type(executor).__name__
        result = searched(folder, executor, **settings)
        assert len(result.visited) == 28
        fronts.append([(s.quality.error, s.cost.latency_ms, s.cost.energy_uj) for s in result.front if s.quality])
    ours, theirs = fronts
    (tmp_path / "Beside/pareto.json").unlink()
    again = searched(tmp_path / "Beside", Beside(7), resume=True, **settings)
    assert again.evaluated == 0
    assert len(again.front) == len(ours)
    worse = [p for p in ours if any(q != p and all(x <= y for x, y in zip(q, p, strict=True)) for q in theirs)]
    assert len(worse) < len(ours) / 2


@pytest.mark.slow
def test_progress_is_that_of_the_points_that_are_known(tmp_path: Path) -> None:
    shown: list[tuple[int, int]] = []

    class Display:
        def started(self, candidates: int) -> None: ...
        def set_aside(self, bits: Any) -> None: ...
        def evaluated(self, bits: Any, quality: Any) -> None: ...
        def generation(self, number: int, of: int, candidates: int, front: int) -> None:
            shown.append((number, candidates))

    run(experiment(), tmp_path / "run", model=StandInModel(), executor=Beside(3), progress=Display())
    assert [number for number, _ in shown] == [0, 1, 2, 3, 4]
    assert all(20 + 6 * number <= candidates < 20 + 6 * number + 6 for number, candidates in shown)
    assert load_run(tmp_path / "run").generations == 4


@pytest.mark.slow
def test_a_search_that_ended_early_repeats_its_order_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        searched(folder, Beside(4, seed=3, stop_after=33))
    before = events(folder)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    found = [searched(folder, Beside(9, seed=6), resume=True), searched(copy, Inline(), resume=True)]
    assert events(folder)[: len(before)] == before
    told = [position for event in before for position in event.get("tell", [])]
    assert visited(found[0])[: len(told)] == visited(found[1])[: len(told)]
    for result in found:
        assert len(result.visited) == BUDGET
        assert len({*visited(result)}) == BUDGET
    with closing(Ledger(folder / LEDGER_FILE)) as ledger:
        assert ledger.counts()["errors"] <= BUDGET + 4  # nothing is evaluated that is not asked for, and baselines

    results = (folder / "pareto.json").read_bytes()
    (folder / "pareto.json").unlink()
    again = searched(folder, Beside(1), resume=True)
    assert again.evaluated == 0
    assert (folder / "pareto.json").read_bytes() == results


@pytest.mark.slow
def test_pending_points_are_evaluated_when_it_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        searched(tmp_path, Beside(8, stop_after=30))
    before = events(tmp_path)
    asked = [genes for event in before for genes in event.get("genes", [])]
    told = {position for event in before for position in event.get("tell", [])}
    assert len(told) < len(asked)
    searched(tmp_path, Beside(2), resume=True)
    after = events(tmp_path)[len(before) :]
    assert {*range(len(asked))} - told <= {position for event in after for position in event.get("tell", [])}


@pytest.mark.slow
def test_generations_with_a_barrier_come_first(tmp_path: Path) -> None:
    """A search that began in one process goes on with workers, and is repeated as it was."""
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        searched(folder, _Counting(4))
    generations = load_run(folder).generations + 1
    assert generations == 2
    result = searched(folder, Beside(4), resume=True)
    assert events(folder)[0] == {"begin": generations}
    assert len(result.visited) == BUDGET
    (folder / "pareto.json").unlink()
    assert visited(searched(folder, Inline(), resume=True)) == visited(result)


@pytest.mark.slow
def test_a_finished_search_is_extended(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    before = events(folder)
    result = searched(folder, Beside(3), resume=True, generations=6)
    assert len(result.visited) == BUDGET + 12
    assert result.evaluated == 12
    assert events(folder)[: len(before)] == before


def test_another_order_than_was_recorded_is_refused(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for event, rule in (
        ('{"ask": 3, "genes": []}', "comes out otherwise than when it was recorded"),
        ('{"tell": [4000]}', "tells of what is not asked"),
        ('{"tell": 7}', "tell: .*: the order of a search was changed"),
        ('{"begin": 7}', "begin: it must stand first, and once: the order of a search was changed"),
    ):
        with closing(sqlite3.connect(folder / LEDGER_FILE)) as database, database:
            database.execute("UPDATE asks_and_tells SET event = ? WHERE number = 2", (event,))
        with pytest.raises(InputError, match=rule):
            searched(folder, Beside(2), resume=True)


@pytest.mark.slow
def test_a_new_search_with_a_copied_ledger_has_an_order_of_its_own(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(whole / LEDGER_FILE, folder)
    copied = searched(folder, Inline())
    assert events(folder) == []
    assert visited(copied) == visited(searched(tmp_path / "own", Inline()))


@pytest.mark.slow
def test_a_candidate_that_kills_workers_is_told_as_infeasible(whole: Path, tmp_path: Path) -> None:
    stored = load_run(whole).results
    assert stored is not None
    victim = stored["visited"][7]["bits"]
    executor = Beside(4, kills=lambda group: name_of(group[0]) == victim)
    result = searched(tmp_path / "run", executor)
    assert [s.name for s in result.set_aside] == [victim]
    assert len(result.visited) == BUDGET
    (tmp_path / "run/pareto.json").unlink()
    again = searched(tmp_path / "run", Inline(), resume=True)
    assert [s.name for s in again.set_aside] == [victim]
    assert visited(again) == visited(result)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "mean_s", "thinks_s", "busy"),
    [
        (32, 30.0, 0.5, 0.99),
        (32, 8.0, 4.0, 0.95),
        (4, 0.5, 0.4, 0.95),
        (4, 0.5, 1.5, 0.8),  # thinks longer than all take: a generation and what workers do is all that it is ahead
        (4, 2.0, 0.0, 0.99),
    ],
)
def test_workers_are_busy_while_the_method_thinks(
    tmp_path: Path, workers: int, mean_s: float, thinks_s: float, busy: float
) -> None:
    virtual = VirtualTime(workers, mean_s)
    settings = {"population": 40, "offspring": 10, "generations": workers + 12}
    method = Thinking(virtual, thinks_s)
    result = run(experiment(**settings), tmp_path / "run", model=StandInModel(), executor=virtual, method=method)
    assert len(result.visited) == 40 + 10 * (workers + 12)
    assert virtual.busy() >= busy


@pytest.mark.slow
def test_a_search_and_a_worker_of_it_killed(tmp_path: Path) -> None:
    """By SIGKILL, and resumed with others: nothing that was finished is evaluated twice, and the order is repeated."""
    folder, notes = tmp_path / "run", tmp_path / "notes"
    script = ROOT / "tests/helpers/slow_stand_in.py"
    process = subprocess.Popen([sys.executable, script, folder, notes, "0.03", "0", "workers", "2", "random"])
    for wanted, victim in ((14, "worker"), (28, "driver")):
        while len(notes_of(notes)) < wanted:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid if victim == "driver" else notes_of(notes)[-1][1], signal.SIGKILL)
    process.wait()
    before = events(folder)
    assert len(before) > 10
    settings, model = slow_experiment(False, method="random", generations=14), SlowModel(notes=str(notes))
    result = run(settings, folder, True, model=model, executor=Beside(4))
    assert events(folder)[: len(before)] == before
    assert len(result.visited) == 8 + 6 * 14
    begun = Counter(what for _, _, what in notes_of(notes))
    assert sum(begun.values()) - len(begun) <= 1 + 2  # what the killed worker was busy with, and the driver's workers


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"method": "nsga2"}, {"objectives": ["memory", "energy"]}])
def test_other_searches_keep_the_barrier(tmp_path: Path, changes: dict[str, Any]) -> None:
    searched(tmp_path / "run", Beside(4), **changes)
    assert events(tmp_path / "run") == []


class _Counting(Inline):
    """Inline, up to so many groups."""

    def __init__(self, stop_after: int):
        self.beside = Beside(1, stop_after=stop_after)

    def map(self, recognition: Any, groups: Any) -> Any:
        yield from self.beside.map(recognition, groups)
