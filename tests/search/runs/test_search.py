"""Searches with a stand-in model: the front is right, a run is repeatable, resumable at any point, and never mixed with another."""

import csv
import io
import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from killed import Killed
from stand_in import StandInModel

from quant.sites.candidate import name_of
from search import Experiment, Run, run
from search.evaluation.executors.executor import Inline
from search.runs.run_reader import find_runs, load_run
from search.runs.search_display import print_front, print_results, print_runs
from simulators import InputError, load_arch, load_trace, simulate
from simulators.inputs.terminal import Terminal


@pytest.fixture
def model() -> StandInModel:
    return StandInModel()


def experiment(**changes: Any) -> Experiment:
    settings = {"name": "t", "model": "none", "population": 12, "offspring": 6, "generations": 6, "steps": 5,
                "method": "nsga2", **changes}  # fmt: skip
    return Experiment.model_validate(settings)


def front_of(result: Run) -> list[tuple[str, float, float]]:
    return [(s.name, s.quality.error, s.cost.latency_ms) for s in result.front if s.quality is not None]


@pytest.mark.slow
def test_the_front_is_feasible_and_not_dominated(tmp_path: Path, model: StandInModel) -> None:
    result = run(experiment(constraints={"error_increase": 6.0}), tmp_path / "run", model=model)
    assert result.error_limit == pytest.approx(result.baselines[16].quality.error + 6.0)  # type: ignore[union-attr]
    points = [(s.quality.error, s.cost.latency_ms, s.cost.energy_uj) for s in result.front if s.quality is not None]
    assert len(points) == len(result.front) > 1
    assert all(error <= result.error_limit for error, _, _ in points)  # type: ignore[operator]
    everything = [
        (s.quality.error, s.cost.latency_ms, s.cost.energy_uj) for s in result.visited if s.quality is not None
    ]
    for p in points:
        assert not any(q != p and all(x <= y for x, y in zip(q, p, strict=True)) for q in everything)
    assert len(model.evaluations) == len({name_of(bits) for bits in model.evaluations})  # nothing twice


@pytest.mark.slow
def test_candidates_over_the_memory_limit_are_never_evaluated(tmp_path: Path, model: StandInModel) -> None:
    """Nor are they looked at: the whole budget goes to those within it."""
    limit = 0.0012
    result = run(experiment(constraints={"memory_mib": limit}), tmp_path / "run", model=model)
    assert len(result.visited) == 12 + 6 * 6
    assert all(s.quality is not None and s.cost.memory_mib <= limit for s in result.visited)
    evaluated = {name_of(bits) for bits in model.evaluations} - {s.name for s in result.baselines.values()}
    assert evaluated <= {s.name for s in result.visited}


@pytest.mark.slow
def test_every_objective_and_its_direction(tmp_path: Path, model: StandInModel) -> None:
    result = run(experiment(objectives=["memory", "mohaq_speedup"], constraints={}), tmp_path / "run", model=model)
    # Without error among objectives or constraints, the best is 2 bits everywhere, and no candidate but baselines is recognised.
    assert [s.name for s in result.front] == [name_of({site.name: (2, 2) for site in model.sites})]
    assert len(model.evaluations) == len(result.baselines)


@pytest.mark.slow
def test_same_seed_same_front_and_another_seed_another_path(tmp_path: Path) -> None:
    runs = [run(experiment(seed=seed), tmp_path / f"{i}", model=StandInModel()) for i, seed in enumerate((3, 3, 4))]
    assert front_of(runs[0]) == front_of(runs[1])
    assert [s.name for s in runs[0].visited] == [s.name for s in runs[1].visited]
    assert [s.name for s in runs[0].visited] != [s.name for s in runs[2].visited]


class KillingExecutor(Inline):
    """Dies before its n-th group of evaluations, as a killed process would: nothing after it runs."""

    def __init__(self, evaluations: int) -> None:
        self.left = evaluations

    def map(self, function: Any, items: Any) -> Iterator[Any]:
        for item in items:
            if self.left == 0:
                raise Killed
            self.left -= 1
            yield item, function(item)


@pytest.mark.slow
def test_a_run_interrupted_many_times_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run(experiment(), tmp_path / "whole", model=StandInModel())
    moments = random.Random(1)
    evaluations = 0
    for _ in range(5):
        model = StandInModel()
        with pytest.raises(Killed):
            run(
                experiment(),
                tmp_path / "parts",
                resume=True,
                model=model,
                executor=KillingExecutor(moments.randint(0, 2)),
            )
        evaluations += len(model.evaluations)
    model = StandInModel()
    resumed = run(experiment(), tmp_path / "parts", resume=True, model=model)
    assert front_of(resumed) == front_of(whole)
    assert (tmp_path / "parts/pareto.csv").read_bytes() == (tmp_path / "whole/pareto.csv").read_bytes()
    known = {s.name for s in whole.visited} | {s.name for s in whole.baselines.values()}
    assert evaluations + len(model.evaluations) == len(known)  # none lost, none computed twice
    again = StandInModel()
    assert front_of(run(experiment(), tmp_path / "parts", resume=True, model=again)) == front_of(whole)
    assert again.evaluations == []


@pytest.mark.slow
def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(experiment(), folder, model=StandInModel())
    with pytest.raises(InputError, match="not empty: --resume continues"):
        run(experiment(), folder, model=StandInModel())
    with pytest.raises(InputError, match=r"generations: 5: the run to resume has 6: more of them extend it"):
        run(experiment(generations=5), folder, resume=True, model=StandInModel())
    with pytest.raises(InputError, match=r"differs in generations, population \(experiment\)"):
        run(experiment(generations=7, population=13), folder, resume=True, model=StandInModel())
    with pytest.raises(InputError, match=r"differs in data \(digests\)"):
        run(experiment(), folder, resume=True, model=StandInModel(data_digest="other"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="nothing to resume"):
        run(experiment(), tmp_path / "other", resume=True, model=StandInModel())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nsga2", "surrogate", "greedy"])
def test_more_generations_extend_a_finished_search(tmp_path: Path, method: str) -> None:
    """Only the further ones are asked for, and a search that had them from the beginning ends alike."""
    whole = run(experiment(method=method, generations=5), tmp_path / "whole", model=StandInModel())
    first, further = StandInModel(), StandInModel()
    run(experiment(method=method, generations=2), tmp_path / "run", model=first)
    with pytest.raises(Killed):  # and killed meanwhile
        run(
            experiment(method=method, generations=5), tmp_path / "run", True, model=further, executor=KillingExecutor(1)
        )
    extended = run(experiment(method=method, generations=5), tmp_path / "run", resume=True, model=further)
    assert [s.name for s in extended.visited] == [s.name for s in whole.visited]
    evaluated = [name_of(bits) for bits in (*first.evaluations, *further.evaluations)]
    assert (
        len(evaluated)
        == len(set(evaluated))
        == len({s.name for s in whole.visited} | {s.name for s in whole.baselines.values()})
    )
    assert further.evaluations
    stored = load_run(tmp_path / "run")
    assert stored.generations == stored.experiment["generations"] == stored.results["experiment"]["generations"] == 5
    for file in ("pareto.csv", "pareto.json"):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


class SecondSearch(StandInModel):
    """Starts another search in the same folder while its own is running."""

    def evaluate(self, bits: Any) -> Any:
        with pytest.raises(InputError, match="another search is running"):
            run(experiment(), self.folder, resume=True, model=StandInModel())
        return super().evaluate(bits)


@pytest.mark.slow
def test_two_searches_in_one_folder(tmp_path: Path) -> None:
    model = SecondSearch()
    model.folder = tmp_path / "run"
    run(experiment(generations=0), tmp_path / "run", model=model)
    assert model.evaluations


@pytest.mark.slow
def test_planted_links_in_a_runs_folder_are_not_followed(tmp_path: Path) -> None:
    settings = experiment(generations=0)
    run(settings, tmp_path / "run", model=StandInModel())
    wanted = {path.name: path.read_text() for path in (tmp_path / "run/solutions").iterdir()}
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("000.yaml", "999.yaml", "notes"):
        (victim / name).write_text("precious")
    shutil.rmtree(tmp_path / "run/solutions")
    (tmp_path / "run/solutions").symlink_to(victim)
    (tmp_path / "run/pareto.csv").unlink()
    (tmp_path / "run/pareto.csv").symlink_to(victim / "notes")
    run(settings, tmp_path / "run", resume=True, model=StandInModel())
    assert {path.read_text() for path in victim.iterdir()} == {"precious"}
    (tmp_path / "run/solutions/000.yaml").unlink()
    (tmp_path / "run/solutions/000.yaml").symlink_to(victim / "000.yaml")
    (tmp_path / "run/solutions/001.yaml").unlink()
    os.mkfifo(tmp_path / "run/solutions/001.yaml")  # to which a write would wait for ever
    run(settings, tmp_path / "run", resume=True, model=StandInModel())
    assert {path.read_text() for path in victim.iterdir()} == {"precious"}
    assert {path.name: path.read_text() for path in (tmp_path / "run/solutions").iterdir()} == wanted


@pytest.mark.slow
@pytest.mark.drawn
def test_outputs(tmp_path: Path, model: StandInModel) -> None:
    result = run(experiment(), tmp_path / "run", model=model)
    folder = tmp_path / "run"
    rows = list(csv.DictReader((folder / "pareto.csv").open()))
    data = json.loads((folder / "pareto.json").read_text())
    assert len(rows) == len(data["front"]) == len(result.front)
    assert [b["solution"] for b in data["baselines"]] == ["16-bit", "8-bit", "4-bit", "2-bit"]
    assert (folder / "pareto.png").read_bytes().startswith(b"\x89PNG")
    for row in rows:  # each solution stands alone: its trace simulates to what the table says
        report = simulate(load_trace(folder / "solutions" / f"{row['solution']}.yaml"), load_arch("bitfusion"))
        assert report.cycles == int(row["cycles"])
        assert report.energy_uj == pytest.approx(float(row["energy_uj"]))
    record = yaml.safe_load((folder / "run.yaml").read_text())
    assert record["digests"]["model"] == "stand-in"
    repeated = Experiment.load(folder / "run.yaml")
    assert repeated == result.experiment
    assert front_of(run(repeated, tmp_path / "again", model=StandInModel())) == front_of(result)


@pytest.mark.slow
def test_the_demo_looks_at_a_hundred_distinct_candidates(tmp_path: Path, model: StandInModel) -> None:
    """The shipped experiment, with a model of as many sites as the real one."""
    from quant.networks.geometry import geometry
    from quant.networks.network import Network

    names = [site.name for site in Network(geometry("sru", {"cells": 3, "projection": 2})).sites]
    model.sites = tuple(type(model.sites[0])(name, 8, 8) for name in names)
    result = run(Experiment.load("demo"), tmp_path / "run", model=model)
    assert len({s.name for s in result.visited if s.quality is not None}) >= 100


@pytest.mark.parametrize(
    "name", ["demo", "mohaq-1-memory", "mohaq-2-silago", "mohaq-3-bitfusion", "mohaq-3-bitfusion-beacons"]
)
def test_shipped_experiments_load(name: str) -> None:
    shipped = Experiment.load(name)
    assert shipped.name == name
    assert Experiment.model_validate(yaml.safe_load(shipped.to_yaml())) == shipped


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nobjectives: [error, speed]\n", r"x.yaml:2:\d+: objectives\[1\]: 'speed'"),
        ("name: x\nobjectives: [error, error]\n", "named twice"),
        ("name: x\npopulation: 1\n", r"x.yaml:2:13: population: 1"),
        ("name: x\ngeneration: 5\n", r"x.yaml:2:\d+: generation: unknown key; did you mean generations"),
        ("name: x\nconstraints: {memory_mib: -1}\n", r"constraints.memory_mib: -1"),
        ("objectives: [error]\n", r"name: missing"),
        ("name: x\nobjectives: error\n", r"objectives: 'error': expected a list"),
        ("name: x\npopulation: many\n", r"population: 'many': expected a whole number"),
        ("name: x\nbeacons:\n  carries: []\n", r"x.yaml:3:\d+: beacons.carries: unknown key; did you mean carry"),
        ("name: x\nconstraint:\n  error: 3\n", r"x.yaml:2:1: constraint: unknown key; did you mean constraints"),
        ("", r"x.yaml: the file is empty"),
        ("name: x\nmethod: nsga3\npopulation: 2\n", r"x.yaml:3:13: population: 2: nsga3 needs one for each"),
        ("name: x\nminimum_activation_bits: {FC: -3}\n", r"x.yaml:2:31: minimum_activation_bits.FC: -3: "),
        ("name: x\nobjectives: []\n", r"x.yaml:2:13: objectives: \[\]: expected at least 1 entry"),
    ],
)
def test_bad_experiments(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        Experiment.load(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch: bitfusio", r"x.yaml:2:7: arch: bitfusio: no such architecture spec"),
        (
            "set: [array.rows=8, array.rowz=3]",
            r"x.yaml:2:21: set\[1\]: array.rowz=3: unknown key; did you mean array.rows\?$",
        ),
        ("set: [array.rows]", r"x.yaml:2:7: set\[0\]: array.rows: expected key.path=value"),
        ("published: silago", r"x.yaml:2:12: published: silago: its claims are of another platform"),
        ("fixed: {'Z*': 16}", r"x.yaml:2:15: fixed.Z\*: no such site: the sites are L0"),
        ("fixed: {FC: 3}", r"x.yaml:2:13: fixed.FC: 3x3: the architecture offers 2/4/8/16 x 2/4/8/16"),
        ("fixed: {FC: wide}", r"x.yaml:2:13: fixed.FC: 'wide': it must be a width"),
        ("fixed: {'*': 8}", r"x.yaml:2:8: fixed: every site is"),
        ("minimum_activation_bits: {FC: 32}", r"x.yaml:2:31: minimum_activation_bits.FC: 32: "),
        ("objectives: [error, mohaq_energy]", r"x.yaml:2:21: objectives\[1\]: mohaq_energy: MOHAQ has no closed form"),
        ("beacons:\n  carry: [nowhere]", r"x.yaml:3:11: beacons.carry\[0\]: nowhere: it holds no beacons"),
        ("set: ['precisions=[[4, 4]]']", r"x.yaml:1:1: constraints.error_increase: it needs a 16-bit baseline"),
    ],
)
def test_what_is_met_later_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(f"name: x\n{text}\n")
    with pytest.raises(InputError, match=message) as caught:
        run(Experiment.load(tmp_path / "x.yaml"), tmp_path / "run", model=StandInModel())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_what_comes_from_an_option_is_named_by_it(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: x\n")
    for options, message in [
        ({"set": ["array.rowz=3"]}, r"^--set: array.rowz=3: unknown key; did you mean array.rows\?$"),
        ({"arch": "nowhere"}, r"^--arch: nowhere: no such architecture"),
    ]:
        with pytest.raises(InputError, match=message):
            run(Experiment.load(tmp_path / "x.yaml", options), tmp_path / "run", model=StandInModel())
    with pytest.raises(InputError, match=r"^--seed: -1: "):
        Experiment.load(tmp_path / "x.yaml", {"seed": -1})
    with pytest.raises(InputError, match=r"^arch: nowhere: no such architecture"):
        run(experiment(arch="nowhere"), tmp_path / "run", model=StandInModel())


def test_the_models_file_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: x\nmodel: nowhere\n")
    with pytest.raises(InputError, match=r"x.yaml:2:8: model: nowhere: no such model"):
        run(Experiment.load(tmp_path / "x.yaml"), tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "written"), [("model", "@"), ("model", "@.onnx\ndata: @"), ("corpus_root", "@"), ("learn_from", "[@]")]
)
def test_a_name_that_no_file_can_have_is_said_with_its_place(tmp_path: Path, key: str, written: str) -> None:
    (tmp_path / "x.yaml").write_text(f"name: x\n{key}: {written.replace('@', 'a' * 300)}\n")
    with pytest.raises(InputError, match=rf"x.yaml:2:\d+: {key}.*: File name too long"):
        run(Experiment.load(tmp_path / "x.yaml"), tmp_path / "run")


def test_unknown_experiment() -> None:
    with pytest.raises(InputError, match=r"no such experiment: .*demo"):
        Experiment.load("demmo")


def test_an_architecture_without_a_baseline_needs_an_absolute_limit(tmp_path: Path) -> None:
    changed = experiment(set=["precisions=[[4, 4], [8, 8]]"])
    with pytest.raises(InputError, match="16-bit baseline"):
        run(changed, tmp_path / "run", model=StandInModel())


@pytest.mark.slow
def test_a_stored_run_prints_as_it_did(tmp_path: Path) -> None:
    result = run(experiment(), tmp_path / "a/run", model=StandInModel())
    texts = []
    for show in (
        lambda c: print_front(result, c),
        lambda c: print_results(load_run(tmp_path / "a/run").results, tmp_path / "a/run", c),
    ):
        console = Terminal(file=io.StringIO())
        show(console)
        texts.append(re.sub(r"; \d+ errors evaluated now, baselines included", "", console.file.getvalue()))  # type: ignore[attr-defined]
    assert texts[0] == texts[1]
    (tmp_path / "b").mkdir()
    (tmp_path / "b/state.json").write_text("{")
    (found,), (complaint,) = find_runs(tmp_path)
    assert complaint == f"{tmp_path / 'b/state.json'}:1:2: not JSON: expecting property name enclosed in double quotes"
    assert (found.generations, found.experiment["name"]) == (result.experiment.generations, result.experiment.name)
    console = Terminal(file=io.StringIO())
    print_runs([found], console)
    assert str(len(result.front)) in console.file.getvalue()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="no run of a search"):
        load_run(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_runs(tmp_path / "nowhere")


def test_data_that_cannot_be_read_leave_no_folder(tmp_path: Path) -> None:
    class Unreadable(StandInModel):
        def __getattribute__(self, name: str) -> object:
            if name == "data_digest":
                raise InputError("no such corpus")
            return super().__getattribute__(name)

    there = tmp_path / "there"
    there.mkdir()
    for folder in (tmp_path / "new/run", there):
        with pytest.raises(InputError, match="no such corpus"):
            run(experiment(), folder, model=Unreadable())
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.slow
def test_a_search_may_begin_with_anothers_ledger(tmp_path: Path) -> None:
    first = run(experiment(), tmp_path / "first", model=StandInModel())
    (tmp_path / "second").mkdir()
    shutil.copy(tmp_path / "first/ledger.sqlite", tmp_path / "second/ledger.sqlite")
    model = StandInModel()
    second = run(experiment(), tmp_path / "second", model=model)
    assert model.evaluations == []
    assert front_of(second) == front_of(first)


@pytest.mark.slow
def test_a_run_that_came_to_nothing_does_not_block_its_folder(tmp_path: Path) -> None:
    class NoWorkers(Inline):
        def map(self, recognition: Any, groups: Any) -> Any:
            raise InputError("no scheduler answers")

    with pytest.raises(InputError, match="no scheduler answers"):
        run(experiment(), tmp_path / "run", model=StandInModel(), executor=NoWorkers())
    assert run(experiment(seed=2), tmp_path / "run", model=StandInModel()).front
    with pytest.raises(InputError, match="not empty"):
        run(experiment(), tmp_path / "run", model=StandInModel())


def test_claims_are_of_their_platform(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="published: silago: its claims are of another platform than bitfusion"):
        run(experiment(published="silago"), tmp_path / "run", model=StandInModel())


def test_candidates_of_a_sweep_are_refused_by_a_search(tmp_path: Path) -> None:
    """They were passed over, and others searched for."""
    settings = {"name": "t", "model": "none", "candidates": ["8"], "constraints": {}}
    with pytest.raises(InputError, match=r"candidates: they are a sweep's \(mohaq sweep\)"):
        run(Experiment.model_validate(settings), tmp_path / "run", model=StandInModel())
    assert not (tmp_path / "run").exists()
