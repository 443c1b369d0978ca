"""Solutions that owe their error to a beacon are evaluated on test with its parameters."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from split_stand_in import SplitModel, experiment, results_in

from quant.sites.candidate import name_of
from search import run
from search.evaluation.executors.worker import OnSplit, RetrainedBefore, Source


@dataclass
class RetrainableSplitModel(SplitModel):
    """Retrained, it errs less by a third on both splits."""

    trained: bool = False

    def edits(self, bits: Any) -> Any:
        edits = super().edits(bits)
        return edits * 2 // 3 if self.trained else edits

    def retrained(self, bits: Any, folder: Path, *, epochs: int, learning_rate: float, on_step: Any = None) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "done").write_text(name_of(bits))
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> Any:
        return replace(self, digest=f"beacon {(folder / 'done').read_text()}", trained=True)


@pytest.mark.slow
def test_with_the_parameters_of_the_beacon(tmp_path: Path) -> None:
    beacons = {"threshold": 2.0, "above": 1.0, "below": 30.0, "most": 2}
    model = RetrainableSplitModel(every=3)
    found = run(experiment(beacons=beacons, generations=2), tmp_path / "run", model=model)
    rows = results_in(tmp_path / "run")["front"]
    assert {bool(row["beacon"]) for row in rows} >= {True}
    for row, solution in zip(rows, found.front, strict=True):
        for split in ("dev", "test"):
            of_split = RetrainableSplitModel(split=split, trained=bool(row["beacon"]))
            assert row[f"error_{split}"] == pytest.approx(of_split.evaluate(solution.bits).error_max, abs=1e-4)
    again = RetrainableSplitModel(every=3)
    run(experiment(beacons=beacons, generations=2), tmp_path / "run", resume=True, model=again)
    assert again.asked == []


def test_another_process_makes_a_beacon_on_test(tmp_path: Path) -> None:
    model = RetrainableSplitModel()
    beacon = model.retrained({"L0": (2, 2)}, tmp_path / "beacon", epochs=1, learning_rate=0.1)
    source = Source.of(beacon, RetrainedBefore(Source.of(model), tmp_path / "beacon"))
    made = OnSplit(source, "test")()
    assert (made.digest, made.data_digest) == (beacon.digest, "test:1")
    assert isinstance(made, RetrainableSplitModel)
    assert made.trained
