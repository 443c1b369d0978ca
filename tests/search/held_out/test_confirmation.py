"""`confirm`: a front that was searched on a part of dev is that of all of dev among its near-ties."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from split_stand_in import SplitModel, experiment, printed, results_in
from stand_in import StandInModel

from quant.evaluation.rates import ScoredUtterances
from search import run
from search.held_out.near_ties import near_ties
from search.runs.run_reader import load_run
from simulators import InputError


def front_of_all(rows: list[dict[str, Any]]) -> set[str]:
    """Names of the candidates that no other dominates with errors of all of dev."""
    points = {row["bits"]: (row["error_dev"], row["latency_ms"], row["energy_uj"]) for row in rows}
    return {
        name for name, p in points.items()
        if not any(q != p and all(x <= y for x, y in zip(q, p, strict=True)) for q in points.values())
    }  # fmt: skip


@pytest.mark.slow
def test_the_front_is_that_of_all_of_dev(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = run(experiment(), tmp_path / "plain", model=SplitModel(every=6, noise=2.0))
    model = SplitModel(every=6, noise=2.0)
    found = run(experiment(confirm=True), tmp_path / "run", model=model)
    assert [s.name for s in found.visited] == [s.name for s in plain.visited]
    assert {s.name for s in found.front} != {s.name for s in plain.front}
    content = results_in(tmp_path / "run")
    assert content["confirmed"] == len(found.confirmed) > len(plain.front)
    assert f"front drawn of {content['confirmed']} near-ties, by their errors on all of dev" in printed(
        tmp_path / "run", capsys
    )
    assert content["held_out"]["luck"]["candidates"] == content["confirmed"]
    assert "is expected to be at least" in printed(tmp_path / "run", capsys)
    whole = SplitModel(noise=2.0)
    limit = whole.evaluate(dict.fromkeys(("L0", "P1", "L1", "FC"), (16, 16))).error_max + 10.0
    errors_of_all = {
        s.name: whole.evaluate(s.bits).error_max
        for s, feasible in zip(found.visited, found.feasible, strict=True) if feasible
    }  # fmt: skip
    within = [row | {"error_dev": errors_of_all[row["bits"]]} for row in content["visited"] if row["feasible"]]
    within = [row for row in within if row["error_dev"] <= limit]
    asked = {name for split, every, name in model.asked if (split, every) == ("dev", 1)}
    front = {s.name for s in found.front}
    assert front == front_of_all([row for row in within if row["bits"] in asked])
    # What was ruled out would hardly be on the front either, were all evaluated.
    best = front_of_all(within)
    assert len(front ^ best) <= 1 < len({s.name for s in plain.front} ^ best)
    errors = [row["error_dev"] for row in content["front"]]
    assert errors == sorted(errors)


@pytest.mark.slow
def test_a_finished_search_is_confirmed_by_resuming_it(tmp_path: Path) -> None:
    run(experiment(confirm=True), tmp_path / "whole", model=SplitModel(every=6))
    run(experiment(), tmp_path / "run", model=SplitModel(every=6))
    model = SplitModel(every=6)
    run(experiment(confirm=True), tmp_path / "run", resume=True, model=model)
    assert {split for split, every, _ in model.asked if every == 6} == set()
    assert (tmp_path / "run/pareto.json").read_bytes() == (tmp_path / "whole/pareto.json").read_bytes()
    assert load_run(tmp_path / "run").experiment["confirm"] is True
    again = SplitModel(every=6)
    run(experiment(confirm=True), tmp_path / "run", resume=True, model=again)
    assert again.asked == []


@pytest.mark.slow
def test_a_search_on_all_of_dev_has_nothing_to_confirm(tmp_path: Path) -> None:
    plain = run(experiment(), tmp_path / "plain", model=SplitModel())
    found = run(experiment(confirm=True), tmp_path / "run", model=SplitModel())
    assert [s.name for s in found.front] == [s.name for s in plain.front]
    assert found.confirmed == ()


def test_what_cannot_be_confirmed_is_refused_before_the_search(tmp_path: Path) -> None:
    model = StandInModel()
    with pytest.raises(InputError, match="confirm: this model has no larger part of its data"):
        run(experiment(confirm=True), tmp_path / "run", model=model)
    assert model.evaluations == []
    with pytest.raises(ValueError, match="confirm: it is for searches on one piece of hardware"):
        experiment(confirm=True, hardware=[{"grid": {"array.rows": [8, 16]}}], objectives=["error", "area"])


def test_near_ties_are_what_chance_could_put_on_the_front() -> None:
    generator = np.random.default_rng(1)
    scored = ScoredUtterances(np.full(100, 25), np.arange(100) % 4)
    solution = generator.poisson(5, 100).astype(float)
    little_worse = solution + (generator.random(100) < 0.02) - (generator.random(100) < 0.01)
    much_worse = solution + generator.poisson(1, 100)
    edits = np.stack([solution, little_worse, much_worse, much_worse])
    # The last costs less than the solution, which does not beat it then.
    costs = np.array([[1.0], [1.5], [1.5], [0.5]])
    assert near_ties(edits, scored, costs, np.array([0])).tolist() == [True, True, False, True]
    assert near_ties(edits, scored, costs, np.array([0]), plain=True).tolist() == [True, True, False, True]


@pytest.mark.slow
def test_the_limit_on_all_of_dev_is_over_the_search_s_own_baseline(tmp_path: Path) -> None:
    """Which errs more than 16 bits for everything where sites are fixed at fewer."""
    settings: dict[str, Any] = {"fixed": {"L0": "2x4", "P1": "2x2"}, "constraints": {"error_increase": 1.0}}
    found = run(experiment(confirm=True, **settings), tmp_path / "run", model=SplitModel(every=6, noise=2.0))
    whole = SplitModel(noise=2.0)
    limit = whole.evaluate(found.baselines[16].bits).error_max + 1.0
    assert limit > whole.evaluate(dict.fromkeys(("L0", "P1", "L1", "FC"), (16, 16))).error_max + 1.5
    assert found.front
    assert found.front[0].name in {s.name for s in found.visited if whole.evaluate(s.bits).error_max <= limit}
    assert all(whole.evaluate(s.bits).error_max <= limit for s in found.front)
