"""Hardware beside bits and thresholds: what a candidate sends decides what each variant takes for it."""

import csv
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import data_of
from killed import Killed, KillingAfter
from sending_stand_in import UTTERANCES, SendingStandIn
from stand_in import StandInModel

from quant.sites.candidate import name_of
from quant.sites.delta_pair import thresholds_in, widths
from search import Experiment, run
from search.codesign.design_points import NOT_OFFERED, WHY_UNKNOWN, CoDesign
from search.codesign.hardware_search import search_hardware
from search.codesign.sweep import sweep
from search.codesign.sweep_display import print_sweep
from search.evaluation.executors.executor import Died, Finished, Inline
from search.evaluation.executors.pool import Pool
from search.evaluation.executors.worker import Group, Recognition
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.evaluation.quality import Unknown
from search.evaluation.sending_group import SendingGroup
from search.report.page import write_report
from search.runs.shortfall import NothingFeasible
from simulators import InputError, simulate
from simulators.inputs.terminal import Terminal

HARDWARE = {"archs": ["bitfusion"], "grid": {"array.rows": [8, 16], "skips_inactive_inputs": [False, True]}}
FILES = ("sweep.csv", "sweep.json", "fronts.csv", "variants.csv")


def experiment(**changes: Any) -> Experiment:
    settings = {
        "name": "t", "model": "none", "population": 8, "offspring": 6, "generations": 3, "steps": 5, "method": "nsga2",
        "hardware": HARDWARE, "thresholds": {"L*": [0, 16, 64], "P1": [0, 32]}, "constraints": {"error": 40.0},
        **changes,
    }  # fmt: skip
    return Experiment.model_validate(settings)


def too_small() -> dict[str, Any]:
    """A variant whose output buffer holds nothing."""
    figures = {
        f"energy.{name}_buffer_pj_per_bit": {"read": 0.1, "write": 0.1} for name in ("input", "weight", "output")
    }
    small = {"buffers.output_kib": 0.001, "energy.sram_leakage_mw": 1, "skips_inactive_inputs": True, **figures}
    return {"archs": ["bitfusion"], "list": [small]}


def assert_measured(result: CoDesign) -> None:
    """Every point's figures are those of all utterances, simulated one by one on its own hardware."""
    model = SendingStandIn()
    for point, (variant, candidate) in enumerate(zip(result.variant.tolist(), result.candidate.tolist(), strict=True)):
        arch, bits = result.hardware.variants[variant].arch, result.candidates[candidate]
        reports = [simulate(model.utterance(bits, steps), arch) for steps in UTTERANCES]
        assert result.cycles[point] == round(float(np.mean([report.cycles for report in reports])))
        assert result.latency_ms[point] == pytest.approx(np.mean([report.latency_ms for report in reports]))
        assert result.energy_uj[point] == pytest.approx(np.mean([report.energy_uj for report in reports]))
        assert result.worst["latency_worst_ms"][point] == pytest.approx(max(r.latency_ms for r in reports))
        assert result.worst["energy_worst_uj"][point] == pytest.approx(max(r.energy_uj for r in reports))
        assert result.error[candidate] == model.evaluate(bits).error_max


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nsga2", "surrogate", "additive", "random"])
def test_every_point_costs_what_it_sends_on_its_hardware(method: str, tmp_path: Path) -> None:
    model = SendingStandIn()
    result = search_hardware(experiment(method=method), tmp_path / "run", model=model)
    assert_measured(result)
    assert len({*result.variant.tolist()}) > 1
    assert len({tuple(thresholds_in(bits).values()) for bits in result.candidates}) > 2
    assert len(model.evaluations) == result.evaluated
    with np.load(tmp_path / "run" / "points.npz") as points:
        assert np.array_equal(points["latency_worst_ms"], result.worst["latency_worst_ms"])
        assert np.array_equal(points["latency_ms"], result.latency_ms)
    with (tmp_path / "run" / "sweep.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [float(row["energy_worst_uj"]) for row in rows] == result.worst["energy_worst_uj"][result.front].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nsga2", "surrogate"])
def test_a_search_goes_on_where_it_was_and_repeats_in_other_processes(method: str, tmp_path: Path) -> None:
    settings = experiment(method=method)
    whole = search_hardware(settings, tmp_path / "whole", model=SendingStandIn())
    with pytest.raises(Killed):
        search_hardware(settings, tmp_path / "parts", progress=KillingAfter(2), model=SendingStandIn())
    first = SendingStandIn()
    resumed = search_hardware(settings, tmp_path / "parts", resume=True, model=first)
    assert 0 < resumed.evaluated == len(first.evaluations) < whole.evaluated
    again = SendingStandIn()
    found = search_hardware(settings, tmp_path / "parts", resume=True, model=again)
    assert (again.evaluations, found.evaluated) == ([], 0)
    with Pool(2) as pool:
        search_hardware(settings, tmp_path / "pool", model=SendingStandIn(), executor=pool, factory=SendingStandIn)
    for file in FILES:
        for other in ("parts", "pool"):
            assert (tmp_path / other / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sweep", "search"])
def test_a_run_that_needs_no_error_comes_to_the_same_where_it_goes_on(kind: str, tmp_path: Path) -> None:
    """What is measured together is known together, though nobody asks for it."""
    changes = {"objectives": ["latency", "energy"], "constraints": {}}
    if kind == "sweep":
        settings = experiment(**changes, thresholds={}, candidates={"bits": ["8", "8@64", "4x8@16"]})
        found = []
        for resume in (False, True):
            result = sweep(settings, tmp_path / "run", resume, model=SendingStandIn(), workers=1)
            found.append(([(tmp_path / "run" / file).read_bytes() for file in FILES], result.describe(result.front)))
        assert found[0] == found[1]
        return
    settings = experiment(**changes)
    search_hardware(settings, tmp_path / "whole", model=SendingStandIn())
    with pytest.raises(Killed):
        search_hardware(settings, tmp_path / "parts", progress=KillingAfter(2), model=SendingStandIn())
    search_hardware(settings, tmp_path / "parts", resume=True, model=SendingStandIn())
    for file in FILES:
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("bits", ["8@16", "8"])
def test_a_sweep_of_which_nothing_can_be_run_says_why(bits: str, tmp_path: Path) -> None:
    settings = experiment(candidates={"bits": [bits]}, thresholds={}, hardware=too_small())
    with pytest.raises(NothingFeasible, match=r"no variant of 1 can run any of 1 candidates: 1: .*buffers.output_kib"):
        sweep(settings, tmp_path / "run", model=SendingStandIn(), workers=1)


@pytest.mark.slow
def test_a_front_is_swept_over_hardware_with_its_thresholds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a variant that has fewer widths candidates are lifted, with their thresholds; EdgeDRNN's registers hold one
    threshold, and these sites have no roles, so that it takes all."""
    single = experiment(hardware=(), arch="bitfusion", set=("skips_inactive_inputs=true",))
    front = run(single, tmp_path / "front", model=SendingStandIn()).front
    hardware = [HARDWARE, {"archs": ["silago"], "grid": {"skips_inactive_inputs": [True]}}, {"archs": ["edgedrnn"]}]
    settings = experiment(thresholds={}, hardware=hardware, candidates={"run": str(tmp_path / "front")})
    model = SendingStandIn()
    result = sweep(settings, tmp_path / "sweep", model=model, workers=1)
    assert {solution.name for solution in front} <= {name_of(bits) for bits in result.candidates}
    assert_measured(result)
    assert {*result.variant.tolist()} == {*range(6)}
    silago = {*result.hardware.variants[4].precisions}
    offered = sum({widths(pair) for pair in bits.values()} <= silago for bits in result.candidates)
    assert (result.variant == 4).sum() == offered < len(result.candidates)
    assert result.left_out[4] == {NOT_OFFERED: len(result.candidates) - offered}
    # one more evaluation for the costs on variants behind the first, and none at all where it goes on
    assert len(model.evaluations) <= 2 * len(result.candidates)
    again = SendingStandIn()
    sweep(settings, tmp_path / "sweep", resume=True, model=again, workers=1)
    assert again.evaluations == []
    print_sweep(result, Terminal())
    shown = capsys.readouterr().out
    assert "threshold" in shown
    assert "means of the evaluated utterances" in " ".join(shown.split())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["named", "searched"])
def test_sweeps_of_thresholds_that_are_named_or_searched(kind: str, tmp_path: Path) -> None:
    texts = {"candidates": {"bits": ["8", "8@64", "8@64,P1=4x8@0"]}, "thresholds": {}}
    settings = experiment(**(texts if kind == "named" else {"generations": 1}))
    model = SendingStandIn()
    result = sweep(settings, tmp_path / "run", model=model, workers=1)
    assert_measured(result)
    assert len(result.candidates) >= 3
    assert any(thresholds_in(bits) for bits in result.candidates)
    assert len(model.evaluations) == result.evaluated
    page = tmp_path / "page.html"
    write_report([tmp_path / "run"], page, None, None, {tmp_path / "run": SendingStandIn()})
    (told,) = data_of(page.read_text())["runs"]
    assert len(told["points"]["variant"]) == len(result.variant)
    assert any("@" in bits for bits in told["candidates"]["bits"])


@pytest.mark.slow
def test_what_hardware_cannot_run_is_left_out_and_known_when_it_goes_on(tmp_path: Path) -> None:
    """A reason is an outcome of an evaluation: it is in the ledger as costs are."""
    hardware = too_small()
    hardware["list"].insert(0, {"skips_inactive_inputs": True})
    settings = experiment(candidates={"bits": ["8@16", "4@64"]}, thresholds={}, hardware=hardware)
    for resume in (False, True):
        model = SendingStandIn()
        result = sweep(settings, tmp_path / "run", resume=resume, model=model, workers=1)
        assert_measured(result)
        assert result.variant.tolist() == [0, 0]
        assert result.reasons() == {"hardware too small: buffers.output_kib": 2}
        assert bool(model.evaluations) is not resume
    found = search_hardware(experiment(hardware=hardware), tmp_path / "search", model=SendingStandIn())
    assert {*found.variant.tolist()} == {0}
    assert_measured(found)


class Dying(Inline):
    """Workers die that simulate on an array of eight rows."""

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[Finished]:
        for group in groups:
            assert isinstance(group, SendingGroup)
            dies = any(arch.spec.array.rows == 8 for arch in group.archs)
            yield group, Died(2) if dies else recognition(group)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sweep", "search"])
def test_what_kills_workers_on_one_variant_is_left_out_there(kind: str, tmp_path: Path) -> None:
    """Its error is known, and its costs elsewhere; where it goes on, it comes to the same."""
    hardware = {"archs": ["bitfusion"], "grid": {"skips_inactive_inputs": [True], "array.rows": [16, 8, 4]}}
    found = []
    for resume in (False, True):
        if kind == "sweep":
            settings = experiment(hardware=hardware, thresholds={}, candidates={"bits": ["8@16", "4@64"]})
            result = sweep(settings, tmp_path / "run", resume, model=SendingStandIn(), executor=Dying(), workers=1)
        else:
            settings = experiment(hardware=hardware)
            result = search_hardware(settings, tmp_path / "run", resume, model=SendingStandIn(), executor=Dying())
        assert 1 not in result.variant
        assert 0 in result.variant
        assert [*result.left_out[1]] == [WHY_UNKNOWN[Unknown.KILLED]]
        assert_measured(result)
        found.append((tmp_path / "run" / "sweep.csv").read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("search", [search_hardware, partial(sweep, workers=1)])
def test_refused_before_anything_is_written(search: Any, tmp_path: Path) -> None:
    plain = {"archs": ["bitfusion"], "grid": {"array.rows": [8, 16]}}
    with pytest.raises(InputError, match=r"thresholds: .* set skips_inactive_inputs=true"):
        search(experiment(hardware=plain), tmp_path / "run", model=SendingStandIn())
    with pytest.raises(InputError, match="thresholds: as genes they are for recognisers of this project"):
        search(experiment(), tmp_path / "run", model=StandInModel())
    with pytest.raises(InputError, match=r"candidates: L0=8x8@4,.*: thresholds are for recognisers of this proj"):
        sweep(experiment(thresholds={}, candidates={"bits": ["8@4"]}), tmp_path / "run", model=StandInModel())
    with pytest.raises(InputError, match="thresholds: the candidates are named, with thresholds of their own"):
        sweep(experiment(candidates={"bits": ["8@4"]}), tmp_path / "run", model=SendingStandIn())
    assert not (tmp_path / "run").exists()


def test_a_candidate_is_evaluated_once_for_all_its_hardware(tmp_path: Path) -> None:
    settings = experiment(method="random", generations=0, population=2, seed_homogeneous=True)
    model = SendingStandIn()
    result = search_hardware(settings, tmp_path / "run", model=model)
    assert len(model.evaluations) == len(result.candidates)
    ledger = Ledger(tmp_path / "run" / LEDGER_FILE)
    assert ledger.counts() == {"errors": len(result.candidates), "costs": len(result.variant)}
    ledger.close()
    assert json.loads((tmp_path / "run" / "sweep.json").read_text())["candidates"] == len(result.candidates)
