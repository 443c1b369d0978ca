"""`fidelity`: candidates race on growing shares of the utterances; what is on the front was evaluated on all."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from split_stand_in import SplitModel, experiment, results_in
from stand_in import StandInModel

from search import Run, run
from search.evaluation.executors.pool import Pool
from search.runs.run_reader import load_run
from simulators import InputError

RACE = {"fidelity": {"shares": [0.25, 0.5], "confidence": 0.95}, "generations": 8, "offspring": 10}


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(experiment(**RACE), tmp_path_factory.mktemp("race") / "run", model=SplitModel(noise=0.5))


def points(found: Run) -> list[tuple[Any, ...]]:
    return [(s.name, s.quality) for s in found.visited]


def test_front_members_are_evaluated_on_all_and_others_on_less(raced: Run) -> None:
    model = SplitModel(noise=0.5)
    for solution in raced.front:
        rate = model.evaluate(solution.bits)
        assert solution.quality is not None
        assert (solution.quality.share, solution.quality.edits) == (1.0, rate.edits)
        assert (solution.quality.error, solution.quality.error_plain) == (rate.error_max, rate.error)
    shares = [solution.quality.share for solution in raced.visited if solution.quality is not None]
    assert set(shares) == {0.25, 0.5, 1.0}
    assert np.mean(shares) < 0.75


def test_what_was_let_go_would_not_be_on_the_front(raced: Run) -> None:
    """As confident as it says: of those that were let go 95 % are dominated on all utterances, or over the limit."""
    model, wrong, off = SplitModel(noise=0.5), 0, list[float]()
    front = [(s.quality.error, s.cost.latency_ms, s.cost.energy_uj) for s in raced.front if s.quality]
    for solution in raced.visited:
        if solution.quality is not None and solution.quality.share < 1:
            error, cost = model.evaluate(solution.bits).error_max, solution.cost
            off.append(solution.quality.error - error)
            below = any(e <= error and ms <= cost.latency_ms and uj <= cost.energy_uj for e, ms, uj in front)
            wrong += not below and error <= (raced.error_limit or 0)
    assert len(off) > 30
    assert wrong <= 0.05 * len(off)
    assert abs(np.mean(off)) < 2
    assert np.std(off) < 4


def test_the_files_say_on_what_share_an_error_was_measured(raced: Run) -> None:
    told = {row["bits"]: row.get("share", 1.0) for row in results_in(raced.folder)["visited"]}
    assert told == {s.name: 1.0 if s.quality is None else s.quality.share for s in raced.visited}
    assert load_run(raced.folder).results is not None
    with closing(sqlite3.connect(raced.folder / "ledger.sqlite")) as database:
        rows = database.execute("SELECT data, candidate, result FROM errors").fetchall()
    shares: dict[str, float] = {}
    for data, candidate, result in rows:
        if data.startswith("dev:1:"):  # of a part: as many utterances as it has edits of
            assert json.loads(result)["share"] == len(json.loads(result)["edits"]) / 48
            shares[candidate] = shares.get(candidate, 0.0) + json.loads(result)["share"]
    assert {name: shares[name] for name in shares if told[name] < 1} == {n: s for n, s in told.items() if s < 1}
    whole = {candidate for data, candidate, _ in rows if data == "dev:1"}
    assert whole == {n for n, s in told.items() if s == 1} | {s.name for s in raced.baselines.values()}


@pytest.mark.slow
def test_a_stopped_race_comes_to_the_same_when_resumed(
    raced: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate, left = SplitModel.evaluate, [0]

    def interrupted(model: SplitModel, bits: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return evaluate(model, bits)

    for number in (25, 60):
        left[0] = number
        monkeypatch.setattr(SplitModel, "evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(experiment(**RACE), tmp_path / "run", resume=True, model=SplitModel(noise=0.5))
    monkeypatch.undo()
    resumed = run(experiment(**RACE), tmp_path / "run", resume=True, model=SplitModel(noise=0.5))
    assert points(resumed) == points(raced)
    assert 0 < resumed.evaluated < raced.evaluated


@pytest.mark.slow
def test_what_the_ledger_knows_beyond_changes_nothing(raced: Run, tmp_path: Path) -> None:
    """All candidates are known on all utterances, as after a search without races: nothing is evaluated."""
    (tmp_path / "run").mkdir()
    plain = {key: value for key, value in RACE.items() if key != "fidelity"}
    given = [solution.bits for solution in raced.visited]

    class Asks:
        """Asks for what the race asked for."""

        def begin(self, space: Any, _: Any) -> None:
            self._genes = np.array([space.encode(bits) for bits in given])

        def ask(self) -> Any:
            genes, self._genes = self._genes, self._genes[:0]
            return genes

        def tell(self, trials: Any) -> None:
            pass

    run(experiment(**plain), tmp_path / "plain", model=SplitModel(noise=0.5), method=Asks())
    (tmp_path / "run" / "ledger.sqlite").write_bytes((tmp_path / "plain" / "ledger.sqlite").read_bytes())
    model = SplitModel(noise=0.5)
    again = run(experiment(**RACE), tmp_path / "run", model=model)
    assert points(again) == points(raced)
    assert again.evaluated == 0
    assert not model.asked


@pytest.mark.slow
def test_workers_come_to_the_same(raced: Run, tmp_path: Path) -> None:
    with Pool(2) as pool:
        found = run(experiment(**RACE), tmp_path / "run", model=SplitModel(noise=0.5), executor=pool)
    assert points(found) == points(raced)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fidelity": {"shares": [0.5, 0.25]}}, r"fidelity.shares.1: 0.25: it must be larger than the one before, 0.5"),
        ({"fidelity": {"shares": [1.0]}}, r"fidelity.shares"),
        ({"fidelity": {"confidence": 0.5}}, r"fidelity.confidence"),
        (
            {"fidelity": {}, "beacons": {}},
            r"fidelity: it is for searches on one piece of hardware, of which nothing is retrained",
        ),
        ({"fidelity": {}, "objectives": ["latency", "energy"]}, r"fidelity: of the objectives error or error_plain"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.split(":")[-1].strip()):
        experiment(**changes)


def test_a_model_without_counted_errors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fidelity: this model cannot be evaluated on some of its utterances alone"):
        run(experiment(fidelity={}), tmp_path / "run", model=StandInModel())
