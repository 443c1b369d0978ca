"""Searches of thresholds beside bits: costs are those of the evaluated utterances, in files, ledger and resumed runs."""

import csv
import json
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sending_stand_in import UTTERANCES, SendingStandIn
from stand_in import StandInModel

from quant.sites.candidate import name_of, parse_bits
from quant.sites.delta_pair import thresholds_in
from quant.sites.site import Site
from search import Experiment, run
from search.evaluation.delta_evaluator import DeltaEvaluator
from search.evaluation.executors.executor import Inline
from search.evaluation.ledger import Ledger
from search.evaluation.sending_group import SendingGroup
from search.evaluation.sent_shares import SentShares
from search.report.named_bits import bits_named
from search.runs.run_reader import load_run
from simulators import InputError, load_arch, load_trace, simulate

SITES = (Site("A", 4, 4), Site("B", 4, 4))
SKIPS = ("skips_inactive_inputs=true",)


def experiment(**changes: Any) -> Experiment:
    settings = {
        "name": "t", "model": "none", "population": 8, "offspring": 4, "generations": 3, "steps": 5, "method": "nsga2",
        "set": SKIPS, "thresholds": {"L*": [0, 16, 64], "P1": [0, 32]}, "constraints": {"error": 40.0}, **changes,
    }  # fmt: skip
    return Experiment.model_validate(settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "generations"), [("nsga2", 2), ("random", 1), ("greedy", 8), ("surrogate", 2), ("additive", 2)]
)
def test_costs_are_those_of_the_evaluated_utterances(method: str, generations: int, tmp_path: Path) -> None:
    model, arch = SendingStandIn(), load_arch("bitfusion", SKIPS)
    result = run(experiment(method=method, generations=generations), tmp_path / "run", model=model)
    assert len({tuple(thresholds_in(s.bits).values()) for s in result.visited}) > 2
    with (tmp_path / "run" / "pareto.csv").open() as file:
        rows = {row["bits"]: row for row in csv.DictReader(file)}
    assert set(rows) == {s.name for s in result.front}
    for solution in result.front:
        reports = [simulate(model.utterance(solution.bits, steps), arch) for steps in UTTERANCES]
        row = rows[solution.name]
        assert float(row["latency_ms"]) == pytest.approx(np.mean([report.latency_ms for report in reports]))
        assert float(row["latency_worst_ms"]) == pytest.approx(max(report.latency_ms for report in reports))
        assert float(row["energy_uj"]) == pytest.approx(np.mean([report.energy_uj for report in reports]))
        assert float(row["energy_worst_uj"]) == pytest.approx(max(report.energy_uj for report in reports))
        assert solution.quality is not None
        assert solution.quality.error == model.evaluate(solution.bits).error_max
        assert bits_named(solution.name, model.sites) == solution.bits


@pytest.mark.slow
def test_energy_of_dram_is_that_of_the_columns_sent(tmp_path: Path) -> None:
    """On EdgeDRNN a column that is sent is one weight for each lane and beat; the first step sends the bias as well."""
    changes = {"arch": "edgedrnn", "set": (), "objectives": ["error", "dram_energy"], "thresholds": {"*": [0, 16, 64]}}
    result = run(experiment(**changes, method="random", generations=1), tmp_path / "run", model=SendingStandIn())
    spec = load_arch("edgedrnn").spec
    with (tmp_path / "run" / "pareto.csv").open() as file:
        rows = {row["bits"]: float(row["dram_energy_uj"]) for row in csv.DictReader(file)}
    assert len(rows) > 1
    for solution in result.front:
        bits = 0
        for site in SendingStandIn().sites:
            pair = solution.bits[site.name]
            apart = 1 + thresholds_in(solution.bits)[site.name] // 16
            beats = -(-site.outputs // spec.lanes)
            columns = sum(1 + steps * -(-site.inputs // apart) for steps in UTTERANCES)
            bits += columns * beats * spec.lanes * pair[0]
        by_hand = bits / len(UTTERANCES) * spec.memory.pj_per_bit * 1e-6
        assert rows[solution.name] == pytest.approx(by_hand, rel=1e-12)
        assert solution.cost.energy_uj > rows[solution.name]


@pytest.mark.slow
def test_a_run_is_found_again_and_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = run(experiment(), tmp_path / "whole", model=SendingStandIn())
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    model = SendingStandIn()
    again = run(experiment(), tmp_path / "again", resume=True, model=model)
    assert (model.populations, again.evaluated) == (0, 0)
    assert [s.name for s in again.front] == [s.name for s in whole.front]
    assert [s.cost for s in again.front] == [s.cost for s in whole.front]
    stored = load_run(tmp_path / "again")
    assert stored.results["experiment"]["thresholds"] == {"L*": [0, 16, 64], "P1": [0, 32]}
    content = json.loads((tmp_path / "again" / "pareto.json").read_text())
    assert "@" in content["front"][0]["bits"]
    trace = load_trace(tmp_path / "again" / "solutions" / "000.yaml")
    assert trace.digest == SendingStandIn().trace_utterance(again.front[0].bits).digest
    other = experiment(thresholds={"L*": [0, 16]})
    with pytest.raises(InputError, match="thresholds"):
        run(other, tmp_path / "again", resume=True, model=SendingStandIn())


def test_error_and_cost_come_of_one_evaluation_and_are_in_the_ledger(tmp_path: Path) -> None:
    model, arch = SendingStandIn(), load_arch("bitfusion", SKIPS)
    sites = [Site(site.name, site.outputs, site.inputs) for site in model.sites]
    candidates = [parse_bits(text, sites) for text in ("8@16", "8@64", "8")]
    ledger = Ledger(tmp_path / "l.sqlite")
    evaluator = DeltaEvaluator(model, arch, 5, ledger, Inline())
    costs = evaluator.costs(candidates)
    assert [quality is not None for quality in evaluator.qualities(candidates)] == [True] * 3
    assert len(model.evaluations) == 3
    assert ledger.counts() == {"errors": 3, "costs": 3}
    assert costs[1].energy_uj < costs[0].energy_uj < costs[2].energy_uj
    # what sends shares that are known exactly is previewed as an utterance of mean length costs
    (preview,) = evaluator.preview([candidates[1]])
    expected = simulate(model.expected_trace(candidates[1], 9, dict.fromkeys(thresholds_in(candidates[1]), 0.2)), arch)
    assert preview.energy_uj == pytest.approx(expected.energy_uj, rel=0.1)
    elsewhere = DeltaEvaluator(model, load_arch("bitfusion", [*SKIPS, "array.rows=8"]), 5, ledger, Inline())
    assert elsewhere.costs(candidates)[0] != costs[0]
    assert ledger.counts() == {"errors": 3, "costs": 6}


def test_shares_are_means_of_the_nearest_threshold() -> None:
    sites = SITES
    known = SentShares()
    assert known.expected(parse_bits("8@16", sites)) == {"A": 1.0, "B": 1.0}
    known.learn(parse_bits("8@16,B=8@0", sites), {"A": 0.5, "B": 1.0})
    known.learn(parse_bits("8@16,B=8@32", sites), {"A": 0.25, "B": 0.75})
    known.learn(parse_bits("4@16,B=8@32", sites), {"A": 0.125, "B": 0.25})
    assert known.expected(parse_bits("8@16,B=8@30", sites)) == {"A": 0.375, "B": 0.5}
    assert known.expected(parse_bits("4@20,B=8", sites)) == {"A": 0.125}
    known.learn(parse_bits("4@16,B=8@32", sites), {"A": 0.75, "B": 0.25})  # as it is simulated on other hardware
    assert known.expected(parse_bits("4@20,B=8", sites)) == {"A": 0.125}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_shares_do_not_depend_on_the_order_in_which_they_are_found(shares: list[float], order: random.Random) -> None:
    sent = [(parse_bits(f"A=8@16,B=8@{i}", SITES), {"A": share, "B": 1.0}) for i, share in enumerate(shares)]
    expected = []
    for _ in range(2):
        known = SentShares()
        for bits, of_sites in sent:
            known.learn(bits, of_sites)
        expected.append(known.expected(parse_bits("8@16", SITES))["A"])
        order.shuffle(sent)
    assert expected[0] == expected[1] == pytest.approx(sum(shares) / len(shares), abs=0.5 / 32 + 1e-9)


def test_another_process_simulates_on_the_same_hardware() -> None:
    arch = load_arch("bitfusion", SKIPS)
    bits = parse_bits("8@16", SITES)
    copied = pickle.loads(pickle.dumps(SendingGroup.of([bits], [arch, load_arch("silago")])))
    assert [of.digest for of in copied.archs] == [arch.digest, load_arch("silago").digest]
    assert [*copied] == [bits] == [*copied[:1]]
    assert thresholds_in(copied[0]) == thresholds_in(bits)


@pytest.mark.parametrize(
    ("changes", "model", "message"),
    [
        ({"set": ()}, SendingStandIn(), r"thresholds: .* set skips_inactive_inputs=true"),
        ({}, StandInModel(), "thresholds: as genes they are for recognisers of this project"),
        ({"thresholds": {"X": [1, 2]}}, SendingStandIn(), r"thresholds\.X: no such site"),
    ],
)
def test_refused_before_anything_is_written(
    changes: dict[str, Any], model: StandInModel, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        run(experiment(**changes), tmp_path / "run", model=model)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["fidelity", "finetune"])
def test_what_thresholds_do_not_go_with(key: str) -> None:
    with pytest.raises(ValueError, match=f"thresholds: they do not go with {key}"):
        experiment(**{key: {}}, constraints={})


def test_names_of_bits_alone_are_as_before() -> None:
    sites = (Site("A", 4, 4), Site("B", 4, 4))
    assert name_of(parse_bits("8x16", sites)) == "A=8x16,B=8x16"
