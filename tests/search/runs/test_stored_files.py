"""Folders of runs that others made: what is wrong with one is a line, and ends nothing else."""

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import mohaq
from paths import REFERENCE
from split_stand_in import SplitModel, experiment
from stand_in import StandInModel

from search import Experiment, run
from search.codesign.sweep import sweep
from search.report.data import gather
from search.runs.run_reader import find_runs, load_run
from search.runs.search_display import print_results
from simulators import InputError
from simulators.inputs.terminal import Terminal

SETTINGS = {"name": "s", "population": 4, "offspring": 2, "generations": 1, "seed": 2, "steps": 5, "method": "nsga2"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run(Experiment.model_validate(SETTINGS), folder / "search", model=StandInModel())
    hardware = {"hardware": {"grid": {"array.rows": [8, 16]}}, "candidates": {"random": 3}}
    sweep(Experiment.model_validate({**SETTINGS, **hardware}), folder / "sweep", model=StandInModel(), workers=1)
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "runs"))


def first(key: str, value: Any, rows: str = "front") -> Callable[[Any], None]:
    """Puts a value into the first row."""
    return lambda content: content[rows][0].update({key: value})


def _without_on_test(content: Any, column: str) -> None:
    """A front whose rows tell of test, but for one column of the first."""
    columns = ("error_test", "error_test_plain", "test_change", "test_change_low", "test_change_high",
               "test_change_plain", "test_change_plain_low", "test_change_plain_high")  # fmt: skip
    for row in (*content["front"], *content["baselines"]):
        row.update(dict.fromkeys(columns, 1.0))
    content["front"][0].pop(column)


Change = Callable[[Any], Any]
SEARCH: list[tuple[str, Change, str]] = [
    ("pareto.json", first("cycles", 1e999), "Infinity: expected a finite number"),
    ("pareto.json", first("cycles", 10**30), r"front\[0\]\.cycles: 10+: "),
    ("pareto.json", first("error", float("nan")), "NaN: expected a finite number"),
    ("pareto.json", first("bits", "L0=8x8;touch PWNED;#"), r"front\[0\]\.bits: 'L0=8x8;touch PWNED;#'"),
    ("pareto.json", first("bits", "L0=8x8"), r"front\[0\]\.bits: .*not among what was visited"),
    ("pareto.json", first("beacon", "$(touch PWNED)"), r"front\[0\]\.beacon: '\$\(touch PWNED\)'"),
    ("pareto.json", first("solution", "../../x"), r"front\[0\]\.solution: '\.\./\.\./x'"),
    ("pareto.json", first("feasible", "yes", "visited"), r"visited\[0\]\.feasible: 'yes': expected true or false"),
    ("pareto.json", lambda content: content["visited"][1].pop("latency_ms"), r"visited\[1\]\.latency_ms: missing"),
    ("pareto.json", lambda content: content.pop("front"), "front: missing"),
    ("pareto.json", lambda content: _without_on_test(content, "error_test"), r"front\.0\.error_test: missing"),
    (
        "pareto.json",
        lambda content: _without_on_test(content, "dominated_on_test_by"),
        r"dominated_on_test_by: missing",
    ),
    ("pareto.json", lambda content: _without_on_test(content, "test_change_high"), r"\.test_change_high: missing"),
    ("pareto.json", lambda content: content["experiment"].update(name=1), r"experiment\.name: 1: expected a text"),
    ("state.json", lambda content: content.pop("identity"), "identity: missing"),
    ("state.json", lambda content: content["identity"].pop("digests"), r"identity\.digests: missing"),
    ("state.json", lambda content: content["identity"]["digests"].update(model=[]), r"digests\.model: \[\]"),
    ("state.json", lambda content: content.update(generations=[]), r"generations: \[\]: expected a mapping"),
]
SWEEP: list[tuple[str, Change, str]] = [
    ("sweep.json", first("variant", 7), r"front\[0\]\.variant: 7: there are 2"),
    ("sweep.json", first("bits", "`id`"), r"front\[0\]\.bits: '`id`'"),
    ("sweep.json", lambda content: content["hardware"].pop(), r"variants: 2: hardware has 1"),
    ("sweep-state.json", lambda content: content["identity"].pop("digests"), r"identity\.digests: missing"),
]


def changed(path: Path, change: Change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("kind", "name", "change", "message"),
    [*(("search", *case) for case in SEARCH), *(("sweep", *case) for case in SWEEP)],
)
def test_a_file_that_is_not_as_mohaq_writes_it_is_one_line(
    copy: Path, kind: str, name: str, change: Change, message: str
) -> None:
    changed(copy / kind / name, change)
    with pytest.raises(InputError, match=rf"{kind}/{name}:.*{message}") as caught:
        load_run(copy / kind)
    assert "\n" not in str(caught.value)
    runs, complaints = find_runs(copy)
    assert [found.folder for found in runs] == [copy / ({"search", "sweep"} - {kind}).pop()]
    assert complaints == [str(caught.value)]


@pytest.mark.parametrize("name", ["state.json", "pareto.json"])
@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}", "", "null", '{"screened": 1}', "\0", "{}"]
)
def test_one_bad_folder_does_not_end_the_list(copy: Path, name: str, content: str) -> None:
    (copy / "search" / name).write_text(content)
    listed = mohaq("runs", ".", cwd=copy)  # a long path would leave the table no room for names
    assert listed.returncode == 0
    assert "sweep" in listed.stdout
    lines = listed.stderr.splitlines()
    if (name, content) == ("pareto.json", "{}"):
        assert not lines, "it is of another version, which the table says"
    else:
        assert [line for line in lines if line.startswith("mohaq: search/")] == lines
        assert len(lines) == 1
    for command in (("show",), ("report", "--out", str(copy / "r.html"))):
        shown = mohaq(command[0], str(copy / "search"), *command[1:])
        assert shown.returncode == 2
        assert len(shown.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["state.json", "pareto.json"])
def test_what_is_no_file_is_not_opened(copy: Path, name: str) -> None:
    (copy / "search" / name).unlink()
    os.mkfifo(copy / "search" / name)
    with pytest.raises(InputError, match="FIFO" if name == "pareto.json" else r"holds no state|FIFO"):
        load_run(copy / "search")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", r"state\.json:1:1: identity: missing"),
        ('{"identity": {"experiment": {}}, "generations": {}}', r"state\.json.*missing"),
        ("[" * 100_000, "nested deeper"),
    ],
)
def test_a_state_that_is_none_is_not_resumed(copy: Path, content: str, message: str) -> None:
    (copy / "search" / "state.json").write_text(content)
    with pytest.raises(InputError, match=rf"nothing to resume: it holds no state\.json of a search: .*{message}"):
        run(Experiment.model_validate(SETTINGS), copy / "search", resume=True, model=StandInModel())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("cycles"), "it holds no array cycles"),
        (lambda arrays: arrays.update(cycles=arrays["cycles"][:-1]), "array .*: .* values where .* has"),
        (lambda arrays: arrays.update(candidate=arrays["candidate"] + 100), "array candidate: positions beyond the 3"),
        (lambda arrays: arrays.update(variant=arrays["variant"] + 1), "array variant: positions beyond the 2"),
        (lambda arrays: arrays.update(variant=arrays["variant"][::-1]), "array variant: points are sorted"),
        (lambda arrays: arrays.update(front=arrays["front"] - 1000), "array front: positions beyond"),
        (lambda arrays: arrays.update(energy_uj=arrays["energy_uj"] * np.inf), "array energy_uj: values that are not"),
        (lambda arrays: arrays.update(bits=1), ""),
    ],
)
def test_points_of_a_sweep_that_cannot_be_are_one_line(
    copy: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = copy / "sweep" / "points.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(path, **arrays)
    models = {copy / "sweep": StandInModel()}
    if not message:
        gather([copy / "sweep"], models)
        return
    with pytest.raises(InputError, match=rf"points\.npz: .*{message}"):
        gather([copy / "sweep"], models)


def test_a_feasible_point_without_a_value_is_not_reported(copy: Path) -> None:
    changed(copy / "search" / "pareto.json", first("error", None, "visited"))
    with pytest.raises(InputError, match="within all limits, and without a value of an objective"):
        gather([copy / "search"], {copy / "search": StandInModel()})


def test_what_0_1_0_left_is_read() -> None:
    assert {found.folder.name for found in find_runs(REFERENCE / "run-0.1.0")[0]} == {"search", "sweep"}


def test_what_an_older_version_did_not_write_has_its_default(tmp_path: Path) -> None:
    run(experiment(), tmp_path / "run", model=SplitModel(), check=False)
    path = tmp_path / "run/pareto.json"
    content = json.loads(path.read_text())
    for key in ("held_out", "claims", "budget", "set_aside"):
        del content[key]
    path.write_text(json.dumps(content))
    results = load_run(tmp_path / "run").results
    assert results is not None
    assert (results["held_out"], results["claims"], results["budget"], results["set_aside"]) == (None, [], [], [])
    print_results(results, tmp_path / "run", Terminal(file=io.StringIO(), width=80))


def test_candidates_without_errors_that_nobody_asked_for_are_not_screened_out(tmp_path: Path) -> None:
    run(experiment(objectives=["latency", "energy"], constraints={}), tmp_path / "run", model=SplitModel())
    results = load_run(tmp_path / "run").results
    assert results is not None
    assert results["screened"] == 0
