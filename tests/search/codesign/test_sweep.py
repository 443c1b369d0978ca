"""Co-design: sweeps and searches over hardware, with a stand-in model."""

import csv
import io
import itertools
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from killed import Killed, KillingAfter
from stand_in import StandInModel

from quant.sites.candidate import name_of
from quant.sites.delta_pair import DeltaPair
from search import Experiment, run
from search.codesign.design_points import NOT_OFFERED, CoDesign
from search.codesign.hardware_search import search_hardware
from search.codesign.sweep import sweep
from search.codesign.sweep_display import SweepDisplay, print_results, print_sweep
from search.evaluation.ledger import Ledger
from search.methods.random_search import RandomSearch
from search.runs.run_reader import find_runs, load_run
from search.runs.search_display import print_runs
from search.runs.shortfall import NothingFeasible
from search.space.design_genome import fitted
from search.space.hardware_variants import Hardware, HardwareBlock
from simulators import InputError, load_arch, simulate
from simulators.inputs.terminal import Terminal

GRID = {
    "archs": ["bitfusion"],
    "grid": {"array.rows": [4, 8], "buffers.weight_kib": [32, 64], "dram.bits_per_cycle": [24, 192]},
}
FILES = ("sweep.csv", "sweep.json", "fronts.csv", "variants.csv")


def experiment(**changes: Any) -> Experiment:
    base = {
        "name": "t", "model": "none", "steps": 5, "objectives": ["error", "latency", "energy", "area"],
        "hardware": GRID, "candidates": {"random": 30}, "method": "nsga2",
    }  # fmt: skip
    return Experiment.model_validate({**base, **changes})


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> CoDesign:
    return sweep(experiment(), tmp_path_factory.mktemp("sweep") / "run", model=StandInModel(), workers=1)


def dominates(a: Any, b: Any) -> bool:
    return bool(np.all(a <= b) and np.any(a < b))


@pytest.mark.slow
def test_fronts_are_not_dominated_and_hold_all_that_is_not(swept: CoDesign) -> None:
    values = swept.values
    feasible = swept.error[swept.candidate] <= swept.error_limit
    joint = [
        i
        for i in np.flatnonzero(feasible)
        if not any(dominates(values[j], values[i]) for j in np.flatnonzero(feasible))
    ]
    assert sorted(swept.front.tolist()) == joint
    assert len(joint) > 5
    for variant, front in enumerate(swept.fronts):
        own = np.flatnonzero(feasible & (swept.variant == variant))
        assert sorted(front.tolist()) == [i for i in own if not any(dominates(values[j], values[i]) for j in own)]
        for i in set(front.tolist()) - set(joint):  # what is left out of the joint front is dominated by one of it
            assert any(dominates(values[j], values[i]) for j in joint)


def test_points_are_what_the_simulator_gives(swept: CoDesign) -> None:
    model = StandInModel()
    for row in np.random.default_rng(1).choice(len(swept.variant), 25, replace=False):
        arch = swept.hardware.variants[swept.variant[row]].arch
        report = simulate(model.trace(swept.candidates[swept.candidate[row]], 5), arch)
        assert swept.cycles[row] == report.cycles
        assert swept.latency_ms[row] == report.latency_ms
        assert swept.energy_uj[row] == report.energy_uj


@pytest.mark.slow
def test_an_error_is_evaluated_once_whatever_the_hardware(tmp_path: Path) -> None:
    model = StandInModel()
    result = sweep(experiment(), tmp_path / "run", model=model, workers=1)
    assert len(result.hardware) == 8
    assert len(model.evaluations) == len({name_of(bits) for bits in model.evaluations}) <= 31


@pytest.mark.slow
def test_outputs(swept: CoDesign, tmp_path: Path) -> None:
    folder = swept.folder
    rows = list(csv.DictReader((folder / "sweep.csv").open()))
    data = json.loads((folder / "sweep.json").read_text())
    assert len(rows) == len(data["front"]) == len(swept.front)
    assert len(list(csv.DictReader((folder / "variants.csv").open()))) == 8
    assert len(list(csv.DictReader((folder / "fronts.csv").open()))) == sum(len(front) for front in swept.fronts)
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    with np.load(folder / "points.npz", allow_pickle=False) as points:
        assert np.array_equal(points["cycles"], swept.cycles)
        assert len(points["variants"]) == 8
    for row in rows[:3]:  # a row's hardware is what `mohaq compare --arch` takes
        name, *changes = row["hardware"].split(",")
        bits = {site: tuple(map(int, pair.split("x"))) for site, pair in (p.split("=") for p in row["bits"].split(","))}
        assert simulate(StandInModel().trace(bits, 5), load_arch(name, changes)).cycles == int(row["cycles"])
    assert not (folder / "parts").exists()
    repeated = sweep(Experiment.load(folder / "run.yaml"), tmp_path / "again", model=StandInModel(), workers=1)
    assert all((tmp_path / "again" / file).read_bytes() == (folder / file).read_bytes() for file in FILES)
    assert len(repeated.front) == len(swept.front)


class Killing:
    """Dies when so many variants are simulated."""

    def __init__(self, variants: int):
        self.variants = variants

    def started(self, *_: Any) -> None: ...
    def evaluated(self, *_: Any) -> None: ...
    def searching(self, *_: Any) -> None: ...

    def simulating(self, done: int, *_: Any) -> None:
        if done >= self.variants:
            raise Killed


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "moments"), [(1, (1, 3, 6)), (2, (3,))])
def test_a_resumed_sweep_equals_an_uninterrupted_one(
    tmp_path: Path, swept: CoDesign, workers: int, moments: tuple[int, ...]
) -> None:
    for variants in moments:
        with pytest.raises(Killed):
            sweep(
                experiment(), tmp_path / "run", resume=True, progress=Killing(variants), model=StandInModel(),
                workers=workers,
            )  # fmt: skip
        parts = sorted((tmp_path / "run/parts").rglob("*.npz"))
        assert len(parts) >= variants
    parts[0].write_bytes(b"spoilt")
    model = StandInModel()
    result = sweep(experiment(), tmp_path / "run", resume=True, model=model, workers=workers)
    assert model.evaluations == []
    for file in FILES:
        assert (tmp_path / "run" / file).read_bytes() == (swept.folder / file).read_bytes()
    assert np.array_equal(result.energy_uj, swept.energy_uj)


@pytest.mark.slow
def test_a_folder_holds_one_sweep(tmp_path: Path) -> None:
    sweep(experiment(), tmp_path / "run", model=StandInModel(), workers=1)
    with pytest.raises(InputError, match="not empty: --resume continues"):
        sweep(experiment(), tmp_path / "run", model=StandInModel())
    with pytest.raises(InputError, match=r"differs in candidates, hardware, name \(experiment\)|differs in .*hardware"):
        sweep(experiment(hardware={"archs": ["silago"]}), tmp_path / "run", resume=True, model=StandInModel())
    with pytest.raises(InputError, match=r"differs in candidates \(experiment\)"):
        sweep(experiment(candidates=["8"]), tmp_path / "run", resume=True, model=StandInModel())
    run(experiment(hardware=[], candidates=None, objectives=["error", "latency"], population=4, generations=0),
        tmp_path / "search", model=StandInModel())  # fmt: skip
    with pytest.raises(InputError, match=r"holds no sweep-state\.json"):
        sweep(experiment(), tmp_path / "search", resume=True, model=StandInModel())


@pytest.mark.slow
def test_candidates_of_a_run_and_its_ledger(tmp_path: Path) -> None:
    found = run(
        experiment(hardware=[], candidates=None, objectives=["error", "latency"], population=8, offspring=4, generations=3),
        tmp_path / "search", model=StandInModel(),
    )  # fmt: skip
    for take, names in (
        ("front", {s.name for s in found.front}),
        ("evaluated", {s.name for s in found.visited} | {s.name for s in found.baselines.values()}),
    ):
        model = StandInModel()
        candidates = {"run": str(tmp_path / "search"), "take": take}
        result = sweep(
            experiment(candidates=candidates, constraints={}), tmp_path / take, model=model, workers=1
        )  # fmt: skip
        assert {name_of(bits) for bits in result.candidates} == names
        assert model.evaluations == []
    with pytest.raises(InputError, match="no run of a search"):
        sweep(experiment(candidates=str(tmp_path)), tmp_path / "x", model=StandInModel())


@pytest.mark.slow
def test_candidates_found_by_a_search_on_each_variant(tmp_path: Path) -> None:
    model = StandInModel()
    settings = experiment(
        candidates=None, population=6, offspring=3, generations=2, hardware={"grid": {"dram.bits_per_cycle": [16, 192]}}
    )
    result = sweep(settings, tmp_path / "run", model=model, workers=1)
    assert len(result.candidates) > 6
    assert len(result.variant) == 2 * len(result.candidates)
    assert len(model.evaluations) == len({name_of(bits) for bits in model.evaluations})


def test_what_hardware_cannot_run_is_counted(tmp_path: Path) -> None:
    hardware = [
        {"archs": ["silago", "bitfusion"]},
        {"archs": ["bitfusion"], "list": [{"buffers.input_kib": 0.5, "energy.input_buffer_pj_per_bit": {"read": 0.1, "write": 0.1},
                                           "energy.weight_buffer_pj_per_bit": {"read": 0.1, "write": 0.1},
                                           "energy.output_buffer_pj_per_bit": {"read": 0.1, "write": 0.1},
                                           "energy.sram_leakage_mw": 1, "buffers.output_kib": 0.001}]},
    ]  # fmt: skip
    settings = experiment(
        hardware=hardware, candidates=["16", "8", "4x8", "2"], constraints={}, objectives=["error", "latency"]
    )
    result = sweep(settings, tmp_path / "run", model=StandInModel(), workers=1)
    assert result.left_out[0] == {NOT_OFFERED: 2}
    assert 1 not in result.left_out
    assert sum(result.left_out[2].values()) == 5
    assert result.reasons()["hardware too small: buffers.output_kib"] == 5
    assert not (result.variant == 2).any()
    # 4x8 is lifted to 8, which is there, and 2 to 4, which every variant that can run it has as a point besides.
    assert [{*bits.values()} for bits in result.candidates] == [{(16, 16)}, {(8, 8)}, {(4, 8)}, {(2, 2)}, {(4, 4)}]
    assert set(result.candidate[result.variant == 0].tolist()) == {0, 1, 4}
    assert set(result.candidate[result.variant == 1].tolist()) == {0, 1, 2, 3, 4}


def test_no_processes_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    model = StandInModel()
    with pytest.raises(InputError, match="--workers 0: it must be at least 1"):
        sweep(experiment(), tmp_path / "run", model=model, workers=0)
    assert not (tmp_path / "run").exists()
    assert model.evaluations == []


@pytest.mark.parametrize(
    ("limits", "excess"),
    [({"memory_mib": 0.001}, "FC=4x4, exceeds them by 3.95e-05 MiB of memory"),
     ({"error": 16.5}, "FC=8x8, exceeds them by 0.676 percentage points of error")],
)  # fmt: skip
def test_candidates_none_of_which_is_within_the_limits(tmp_path: Path, limits: dict[str, float], excess: str) -> None:
    settings = experiment(candidates=["8", "4"], constraints=limits)
    with pytest.raises(NothingFeasible, match=f"of 2 candidates the nearest, .*{excess}"):
        sweep(settings, tmp_path / "run", model=StandInModel(), workers=1)


@pytest.mark.slow
@pytest.mark.parametrize("take", ["front", "evaluated"])
def test_a_front_of_one_platform_is_lifted_to_the_bits_of_another(tmp_path: Path, take: str) -> None:
    """Every variant has what becomes of every candidate, as the genes of a search over hardware have it."""
    search = experiment(hardware=[], candidates=None, objectives=["error", "latency"], population=8, generations=1)
    run(search, tmp_path / "search", model=StandInModel())
    settings = experiment(
        hardware={"archs": ["bitfusion", "silago"]}, objectives=["error", "latency"], constraints={},
        candidates={"run": str(tmp_path / "search"), "take": take},
    )  # fmt: skip
    result = sweep(settings, tmp_path / "run", model=StandInModel(), workers=1)
    silago = result.hardware.variants[1].arch.precisions
    names = [name_of(bits) for bits in result.candidates]
    on_silago = {names[i] for i in result.candidate[result.variant == 1]}
    assert on_silago == {name_of(fitted(bits, silago)) for bits in result.candidates}
    assert {names[i] for i in result.candidate[result.variant == 0]} == set(names)
    assert any({*bits.values()} - {*silago} for bits in result.candidates)


@pytest.mark.slow
def test_limits_of_memory_and_error(tmp_path: Path) -> None:
    settings = experiment(constraints={"memory_mib": 0.0025, "error_increase": 4.0})
    result = sweep(settings, tmp_path / "run", model=StandInModel(), workers=1)
    assert result.memory_mib.max() <= 0.0025
    assert result.error.max() <= result.error_limit
    assert {"over the memory limit", "over the error limit"} <= set(result.reasons())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hardware: {grid: {array.row: [8]}}", r"x.yaml:2:\d+: hardware.grid.array.row: unknown key; did you mean array.rows\?$"),
        ("hardware: {grid: {array.rows: [8, 0]}}", r"x.yaml:2:35: hardware.grid.array.rows\[1\]: 0: "),
        ("hardware:\n  - archs: [bitfusion]\n  - list:\n      - {array.rows: 8, array.colums: 8}", r"x.yaml:5:\d+: hardware\[1\].list\[0\].array.colums: unknown key; did you mean array.columns"),
        ("hardware: {grid: {mapping: [null, {outer: sideways, out_tile: 1, in_tile: 1, vector_tile: 1}]}}", r"x.yaml:2:\d+: hardware.grid.mapping\[1\].outer: 'sideways'"),
        ("hardware: {grid: {buffers.input_kib: [0.001]}}", r"x.yaml:2:\d+: hardware.grid.buffers.input_kib\[0\]: 0.001: the CACTI table begins"),
        ("hardware: {grid: {array.rows: [8, 9, 9.5]}}", r"hardware.grid.array.rows\[2\]: 9.5: expected a whole number"),
        ("hardware: {grid: {array.rows: [8, .nan]}}", r"hardware.grid.array.rows\[1\]: nan: "),
        ("objectives: [error]", r"x.yaml:1:1: hardware: missing"),
        ("hardware: {archs: [nowhere]}", r"x.yaml:2:20: hardware.archs\[0\]: nowhere: no such architecture"),
        ("hardware: {grids: {}}", r"x.yaml:2:\d+: hardware.grids: unknown key; did you mean grid"),
        ("hardware: {grid: {array.rows: 8}}", r"x.yaml:2:\d+: hardware.grid.array.rows: 8: "),
        ("objectives: [error, area]", r"x.yaml:2:21: objectives\[1\]: 'area': one hardware has one area"),
        ("hardware: {archs: [bitfusion]}\ncandidates: {run: a, random: 3}", r"candidates: .*expected one of"),
        ("hardware: {archs: [bitfusion]}\nset: ['area=null']\nobjectives: [area]", r"x.yaml:2:20: hardware.archs\[0\]: bitfusion: its spec has no key `area`"),
        ("hardware: {archs: [bitfusion]}\ncandidates: ['8,X=4']", r"x.yaml:3:14: candidates\[0\]: X: no such site"),
        ("hardware: {archs: [bitfusion]}\ncandidates: nowhere", r"x.yaml:3:13: candidates: nowhere: no such folder"),
        ("hardware: {archs: [bitfusion]}\nobjectives: [error, mohaq_speedup]", r"x.yaml:3:21: objectives\[1\]: 'mohaq_speedup': a closed form knows"),
    ],
)  # fmt: skip
def test_bad_sweeps(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(f"name: x\n{text}\n")
    with pytest.raises(InputError, match=message):
        sweep(Experiment.load(tmp_path / "x.yaml"), tmp_path / "run", model=StandInModel(), workers=1)
    assert not (tmp_path / "run").exists()


def test_what_is_wrong_without_a_file_is_named_by_its_key(tmp_path: Path) -> None:
    settings = experiment(hardware={"grid": {"array.rowz": [8]}})
    with pytest.raises(InputError, match=r"^hardware\[0\]\.grid\.array\.rowz: unknown key; did you mean array\.rows"):
        sweep(settings, tmp_path / "run", model=StandInModel(), workers=1)
    (tmp_path / "x.yaml").write_text("name: x\nhardware: {archs: [bitfusion]}\n")
    settings = Experiment.load(tmp_path / "x.yaml", {"candidates": "nowhere"})
    with pytest.raises(InputError, match=r"^--candidates: nowhere: no such folder"):
        sweep(settings, tmp_path / "run", model=StandInModel(), workers=1)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        (
            "grid: {array.columns: [8], array.rows: [8, 16, 8.0]}",
            r"3:\d+: hardware\.grid\.array\.rows\[2\]: 8\.0: given twice",
        ),
        (
            "grid: {precisions: [[[8, 8]], [[8, 8]]]}",
            r"3:\d+: hardware\.grid\.precisions\[1\]: \[\[8, 8\]\]: given twice",
        ),
        (
            "list: [{array.rows: 8, array.columns: 4}, {array.columns: 4, array.rows: 8}]",
            r"3:\d+: hardware\.list\[1\]: .*twice",
        ),
        ("archs: [bitfusion, bitfusion]", r"3:\d+: hardware\.archs\[1\]: 'bitfusion': given twice"),
    ],
)
def test_what_stands_twice_in_a_block_is_refused(tmp_path: Path, block: str, place: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\nhardware:\n  {block}\n")
    with pytest.raises(InputError, match=rf"x\.yaml:{place}"):
        sweep(Experiment.load(path), tmp_path / "run", model=StandInModel(), workers=1)


def test_variants_that_are_the_same_hardware_are_said(tmp_path: Path) -> None:
    """Two blocks, of which one names the architecture as it is, and the other among more."""
    blocks = [{"archs": ["bitfusion"]}, {"archs": ["bitfusion"], "grid": {"array.rows": [8, 16, 32]}}]
    result = sweep(
        experiment(hardware=blocks, candidates={"random": 3}), tmp_path / "run", model=StandInModel(), workers=1
    )
    assert len(result.hardware) == 3
    assert result.hardware.repeated == 1
    out = io.StringIO()
    print_sweep(result, Terminal(file=out, width=120))
    assert "1 of 4 variants that were named are the same hardware as another: simulated once" in out.getvalue()


def test_a_grid_a_list_and_files_that_extend(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: bitfusion\nname: mine\narray: {rows: 8}\n")
    block = HardwareBlock.model_validate(
        {"archs": ["bitfusion", str(tmp_path / "mine.yaml")], "grid": {"dram.bits_per_cycle": [64, 128]},
         "list": [{"array.rows": 4, "array.columns": 8}, {}]}
    )  # fmt: skip
    hardware = Hardware([block], "silago", [], "area")
    assert len(hardware) == 8
    assert hardware.at(0, (1, 1, 0)).arch.name == "mine"
    assert len({variant.area_mm2 for variant in hardware}) == 3  # bandwidth has none; 4 x 8 units are the same in both
    with pytest.raises(InputError, match="variants: there may be"):
        Hardware([HardwareBlock(grid={"array.rows": tuple(range(1, 200_000))})], "bitfusion", [])


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_a_search_over_hardware_finds_the_best(tmp_path: Path, objective: str) -> None:
    """Small enough to try everything: two sites, 16 pairs each, 12 variants."""
    model = StandInModel()
    model.sites = model.sites[:2]
    hardware = {"array.rows": [4, 8, 16], "dram.bits_per_cycle": [24, 192], "frequency_mhz": [250, 500]}
    common = {"objectives": [objective], "constraints": {"error_increase": 3.0}, "hardware": {"grid": hardware}}
    pairs = load_arch("bitfusion").precisions
    every = [f"L0={w}x{a},P1={v}x{b}" for (w, a), (v, b) in itertools.product(pairs, pairs)]
    best = sweep(experiment(candidates=every, **common), tmp_path / "all", model=model, workers=1)
    assert len(best.hardware) == 12
    settings = experiment(candidates=None, population=30, offspring=15, generations=20, **common)
    found = search_hardware(settings, tmp_path / "search", model=model)
    assert found.values[found.front].min() == best.values[best.front].min()
    assert len(found.variant) < len(best.variant) / 4
    (row, *_), same = found.describe(found.front), best.describe(best.front)
    assert (row["hardware"], row["bits"]) in [(r["hardware"], r["bits"]) for r in same]


@pytest.mark.slow
def test_a_search_over_hardware_resumes_and_repeats(tmp_path: Path) -> None:
    settings = experiment(candidates=None, population=10, offspring=5, generations=4,
                          hardware=[GRID, {"archs": ["silago"]}])  # fmt: skip

    search_hardware(settings, tmp_path / "whole", model=StandInModel())
    with pytest.raises(Killed):
        search_hardware(settings, tmp_path / "parts", progress=KillingAfter(2), model=StandInModel())
    with pytest.raises(InputError, match="not empty"):
        search_hardware(settings, tmp_path / "parts", model=StandInModel())
    search_hardware(settings, tmp_path / "parts", resume=True, model=StandInModel())
    for file in FILES:
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    repeated = Experiment.load(tmp_path / "whole/run.yaml")
    assert yaml.safe_load((tmp_path / "whole/run.yaml").read_text())["repeat"].startswith("mohaq search")
    search_hardware(repeated, tmp_path / "again", model=StandInModel())
    assert (tmp_path / "again/sweep.csv").read_bytes() == (tmp_path / "whole/sweep.csv").read_bytes()


@pytest.mark.slow
def test_what_is_recorded_is_the_method_that_ran(tmp_path: Path) -> None:
    """Greedy knows widths and no hardware: NSGA-II takes its place, and says so."""
    settings = experiment(candidates=None, population=6, offspring=3, generations=1, method="greedy")
    search_hardware(settings, tmp_path / "run", model=StandInModel())
    assert yaml.safe_load((tmp_path / "run/run.yaml").read_text())["experiment"]["method"] == "nsga2"


@pytest.mark.slow
def test_a_system_that_does_not_say_which_cores_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no sched_getaffinity."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert len(sweep(experiment(), tmp_path / "run", model=StandInModel()).front)


def test_bits_become_what_the_hardware_offers() -> None:
    bits = {"a": (2, 8), "b": (4, 4), "c": (16, 2)}
    assert fitted(bits, ((4, 4), (8, 8), (16, 16))) == {"a": (8, 8), "b": (4, 4), "c": (16, 16)}
    assert fitted(bits, ((4, 4), (8, 8))) == {"a": (8, 8), "b": (4, 4), "c": (8, 8)}
    sending = fitted({"a": DeltaPair(2, 8, 16), "b": DeltaPair(4, 4, 0), "c": (4, 4)}, ((4, 4), (8, 8)))
    assert name_of(sending) == "a=8x8@16,b=4x4@0,c=4x4"


@pytest.mark.slow
def test_a_joint_front_of_several_technologies_says_so(tmp_path: Path) -> None:
    said = "Energy and area are of different technologies: 28 nm (silago); 45 nm (bitfusion)"
    both = {"archs": ["silago", "bitfusion"]}
    for name, objectives, hardware, expected in (
        ("energy", ["error", "latency", "energy"], both, said),
        ("area", ["error", "area"], both, said),
        ("time", ["error", "latency", "memory"], both, ""),
        ("one", ["error", "energy"], {"archs": ["bitfusion", "bitfusion-hbm2"]}, ""),
    ):
        made = experiment(objectives=objectives, hardware=hardware, candidates={"random": 3})
        found = sweep(made, tmp_path / name, model=StandInModel(), workers=1)
        content = json.loads((tmp_path / name / "sweep.json").read_text())
        assert content["technologies"] == expected
        printed, shown = io.StringIO(), io.StringIO()
        print_sweep(found, Terminal(file=printed))
        assert (said in printed.getvalue().splitlines()) == bool(expected)
        results = load_run(tmp_path / name).results
        assert results is not None
        print_results(results, found.folder, Terminal(file=shown), evaluated_now=found.evaluated)
        assert shown.getvalue() == printed.getvalue()


def test_results_that_say_nothing_of_technologies_are_shown(tmp_path: Path) -> None:
    """Of an earlier version."""
    made = experiment(hardware={"archs": ["silago", "bitfusion"]}, candidates={"random": 3})
    sweep(made, tmp_path / "run", model=StandInModel(), workers=1)
    file, shown = tmp_path / "run" / "sweep.json", io.StringIO()
    content = json.loads(file.read_text())
    assert "45 nm (bitfusion)" in content.pop("technologies")
    file.write_text(json.dumps(content))
    print_results(load_run(tmp_path / "run").results or {}, tmp_path / "run", Terminal(file=shown))
    assert "technologies" not in shown.getvalue()


def test_a_sweep_is_listed_and_shown_as_it_was_printed(swept: CoDesign) -> None:
    (stored,), _ = find_runs(swept.folder)
    assert stored.is_codesign
    printed, shown, listed = io.StringIO(), io.StringIO(), io.StringIO()
    print_sweep(swept, Terminal(file=printed))
    assert stored.results is not None
    print_results(stored.results, swept.folder, Terminal(file=shown), evaluated_now=swept.evaluated)
    assert shown.getvalue() == printed.getvalue()
    print_runs([stored], Terminal(file=listed))
    assert f"{len(swept.hardware)} variants" in listed.getvalue()


@pytest.mark.slow
def test_parts_are_of_the_candidates_that_they_were_made_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search within a sweep that draws otherwise than before the kill, as with another version of a library."""
    settings = experiment(
        candidates=None, method="random", population=8, offspring=4, generations=2, constraints={},
        seed_homogeneous=False, seed_neighbours=False,
    )  # fmt: skip

    class Killing(SweepDisplay):
        def simulating(self, done: int, variants: int, candidates: int) -> None:
            if done >= 3:
                raise Killed

    with pytest.raises(Killed):
        sweep(settings, tmp_path / "run", progress=Killing(), model=StandInModel(), workers=1)
    drawn = RandomSearch.drawn

    def otherwise(self: RandomSearch, number: int) -> Any:
        self._evolution.generator.random(1001)
        return drawn(self, number)

    monkeypatch.setattr(RandomSearch, "drawn", otherwise)
    found = sweep(settings, tmp_path / "run", resume=True, model=StandInModel(), workers=1)
    whole = sweep(settings, tmp_path / "whole", model=StandInModel(), workers=1)
    assert [*map(name_of, found.candidates)] == [*map(name_of, whole.candidates)]
    assert found.cycles.tolist() == whole.cycles.tolist()
    assert not (tmp_path / "run/parts").exists()


def test_a_ledger_that_cannot_be_used_ends_a_search_of_hardware(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing of what the hardware can run."""
    settings = experiment(candidates=None, population=8, offspring=4, generations=2)
    calls = itertools.count()

    def locked(self: Ledger, of: Any, results: Any) -> None:
        if next(calls) == 4:
            with self._reporting():
                raise sqlite3.OperationalError("database is locked")
        write(self, of, results)

    write = Ledger.write_costs
    monkeypatch.setattr(Ledger, "write_costs", locked)
    with pytest.raises(InputError, match="the ledger cannot be used: database is locked"):
        search_hardware(settings, tmp_path / "run", model=StandInModel(), check=False)
    again = search_hardware(settings, tmp_path / "run", resume=True, model=StandInModel(), check=False)
    whole = search_hardware(settings, tmp_path / "whole", model=StandInModel(), check=False)
    assert again.cycles.tolist() == whole.cycles.tolist()


@pytest.mark.parametrize("damage", ["{", '"words"', '{"cycles": -1}'])
def test_a_ledger_that_was_damaged_ends_a_search_of_hardware(damage: str, tmp_path: Path) -> None:
    settings = experiment(candidates=None, population=8, offspring=4, generations=1)
    search_hardware(settings, tmp_path / "run", model=StandInModel(), check=False)
    with closing(sqlite3.connect(tmp_path / "run/ledger.sqlite")) as database, database:
        database.execute("UPDATE costs SET result = ?", (damage,))
    with pytest.raises(InputError, match=r"ledger\.sqlite"):
        search_hardware(settings, tmp_path / "run", resume=True, model=StandInModel(), check=False)
