"""Beacons of candidates with thresholds: retrained with them, and what is sent is what their parameters send."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import Killed
from sending_stand_in import UTTERANCES, SendingStandIn
from stand_in import StandInError

from quant.sites.candidate import name_of, parse_bits
from quant.sites.delta_pair import DeltaPair, thresholds_in
from quant.sites.site import Site
from search import Experiment, run
from search.evaluation.beacon_files import stored_beacons
from search.evaluation.beacons import distance
from search.report.page import write_report
from simulators import InputError, Trace, load_arch, load_trace, simulate

SKIPS = ("skips_inactive_inputs=true",)
Bits = Mapping[str, tuple[int, int]]


@dataclass
class Retrainable(SendingStandIn):
    """Retraining lowers the error near what it was for, and what it made sends half as much."""

    trained_for: Bits | None = None
    kill: bool = False
    """Whether the first retraining is killed in its middle."""

    def evaluate(self, bits: Bits) -> StandInError:
        found = super().evaluate(bits)
        if self.trained_for is None:
            return found
        factor = min(1.2, 0.4 + 0.06 * distance(bits, self.trained_for))
        return StandInError(16 + (found.error_max - 16) * factor, 15 + (found.error - 15) * factor)

    def expected_trace(self, bits: Bits, steps: int, shares: Mapping[str, float]) -> Trace:
        less = 1 if self.trained_for is None else 2
        return super().expected_trace(bits, steps, {site: share / less for site, share in shares.items()})

    def retrained(
        self, bits: Bits, folder: Path, *, epochs: int, learning_rate: float, on_step: Any = None
    ) -> "Retrainable":
        folder.mkdir(parents=True, exist_ok=True)
        if self.kill:
            raise Killed
        (folder / "done").write_text(name_of(bits))
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> "Retrainable":
        name = (folder / "done").read_text()
        sites = [Site(site.name, site.outputs, site.inputs) for site in self.sites]
        return Retrainable(digest=f"beacon {name}", trained_for=parse_bits(name, sites))


@dataclass
class WithFloatError(Retrainable):
    """One whose increases of error may be counted from float32."""

    def float_error(self) -> StandInError:
        return StandInError(16.5, 15.5)


def experiment(**changes: Any) -> Experiment:
    settings = {
        "name": "t", "model": "none", "population": 8, "offspring": 4, "generations": 3, "steps": 5, "method": "nsga2",
        "set": SKIPS, "thresholds": {"L*": [0, 16, 64], "P1": [0, 32]}, "constraints": {},
        "beacons": {"threshold": 1.0, "above": 0.5, "below": 30.0, "most": 2}, **changes,
    }  # fmt: skip
    return Experiment.model_validate(settings)


@pytest.mark.slow
def test_candidates_near_a_beacon_err_and_send_as_with_its_parameters(tmp_path: Path) -> None:
    result = run(experiment(), tmp_path / "run", model=Retrainable())
    arch = load_arch("bitfusion", SKIPS)
    beacons = {name_of(stored.bits): stored for stored in stored_beacons(tmp_path / "run")}
    assert any(thresholds_in(stored.bits) for stored in beacons.values())
    models = {name: Retrainable().retrained_before(stored.folder) for name, stored in beacons.items()} | {
        "": Retrainable()
    }
    assert {solution.chosen.beacon for solution in result.visited} > {""}
    for solution in result.visited:
        model = models[solution.chosen.beacon]
        assert solution.quality is not None
        assert solution.quality.error == pytest.approx(model.evaluate(solution.bits).error_max)
        reports = [simulate(model.utterance(solution.bits, steps), arch) for steps in UTTERANCES]
        assert solution.cost.latency_ms == pytest.approx(np.mean([report.latency_ms for report in reports]))
        assert solution.cost.energy_worst_uj == pytest.approx(max(report.energy_uj for report in reports))
    with (tmp_path / "run" / "pareto.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["beacon"] for row in rows)
    for row, solution in zip(rows, result.front, strict=True):
        trace = load_trace(tmp_path / "run" / "solutions" / f"{row['solution']}.yaml")
        assert trace.digest == models[row["beacon"]].trace_utterance(solution.bits).digest


@pytest.mark.slow
def test_a_report_tells_of_the_front_as_the_run_does(tmp_path: Path) -> None:
    """Figures of candidates with thresholds that were retrained, from the folder, by the traces that it has."""
    result = run(experiment(), tmp_path / "run", model=Retrainable())
    write_report(
        [tmp_path / "run"], tmp_path / "r.html", table=tmp_path / "r.csv", models={tmp_path / "run": Retrainable()}
    )
    with (tmp_path / "r.csv").open() as file:
        rows = {row["bits"]: row for row in csv.DictReader(file)}
    for solution in result.front:
        row = rows[name_of(solution.bits)]
        assert float(row["latency_ms"]) == pytest.approx(solution.cost.latency_ms)
        assert solution.quality is not None
        assert float(row["error"]) == pytest.approx(solution.quality.error, abs=1e-4)
    assert any("@" in bits for bits in rows)


@pytest.mark.slow
def test_a_search_killed_in_a_retraining_ends_the_same(tmp_path: Path) -> None:
    run(experiment(), tmp_path / "whole", model=Retrainable())
    with pytest.raises(Killed):
        run(experiment(), tmp_path / "parts", model=Retrainable(kill=True))
    model = Retrainable()
    run(experiment(), tmp_path / "parts", resume=True, model=model)
    assert (tmp_path / "parts/pareto.csv").read_bytes() == (tmp_path / "whole/pareto.csv").read_bytes()
    again = Retrainable()
    assert run(experiment(), tmp_path / "parts", resume=True, model=again).evaluated == again.populations == 0


def test_distance_counts_doubled_thresholds_as_halved_widths() -> None:
    a = {"L0": DeltaPair(8, 8, 0), "FC": (4, 8)}
    assert distance(a, {"L0": DeltaPair(4, 8, 16), "FC": (4, 2)}) == 2.0
    assert distance(a, {"L0": DeltaPair(8, 8, 48), "FC": DeltaPair(4, 8, 0)}) == 2.0
    assert distance({"L0": DeltaPair(8, 8, 48)}, {"L0": DeltaPair(8, 8, 16)}) == 1.0


def test_without_sixteen_bits_increases_are_from_float(tmp_path: Path) -> None:
    on_edgedrnn = experiment(
        arch="edgedrnn", set=(), thresholds={"*": [0, 16, 64]}, method="random", generations=0,
        beacons={"threshold": 1.0, "above": 1.0, "below": 30.0, "most": 1},
    )  # fmt: skip
    with pytest.raises(InputError, match="beacons: it needs a 16-bit baseline, which edgedrnn does not offer"):
        run(on_edgedrnn, tmp_path / "refused", model=Retrainable())
    run(on_edgedrnn, tmp_path / "run", model=WithFloatError())
    (beacon,) = stored_beacons(tmp_path / "run")
    assert 17.5 <= SendingStandIn().evaluate(beacon.bits).error_max <= 46.5
