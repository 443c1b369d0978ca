"""Beacons of networks from files: what a retrained neighbour gives, after a kill too, and how a user comes by it."""

import csv
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import Killed

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from onnx_graphs import saved
from small_network import FRAMES, small_network

from quant import load
from search import Experiment, run
from search.report.data import gather


class KillingDisplay:
    """Shows nothing, and is killed in a step of the second retraining."""

    def __init__(self) -> None:
        self._trained: set[str] = set()

    def started(self, candidates: int) -> None: ...

    def screened(self, bits: Any) -> None: ...

    def evaluated(self, *_: Any) -> None: ...

    def generation(self, *_: Any) -> None: ...

    def retraining(self, bits: Any, step: Any) -> None:
        self._trained.add(str(bits))
        if len(self._trained) == 2 and step.done == 20:
            raise Killed


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    path = saved(small_network(), tmp_path)
    (tmp_path / "data").mkdir()
    for number in range(3):
        np.savez(tmp_path / "data" / f"{number}.npz", x=FRAMES * (number + 1))
    return Experiment.model_validate({
        "name": "own", "model": str(path), "data": str(tmp_path / "data"), "population": 8, "offspring": 4,
        "generations": 2, "steps": 12, "constraints": {}, "method": "nsga2", "objectives": ["error", "latency"],
        "beacons": {"threshold": 2.0, "above": 0.5, "below": 100.0, "most": 2, "epochs": 10, "learning_rate": 1e-2},
    })  # fmt: skip


@pytest.mark.slow
def test_a_retrained_neighbour_errs_less_and_a_killed_search_comes_to_the_same(
    experiment: Experiment, tmp_path: Path
) -> None:
    found = run(experiment, tmp_path / "whole")
    helped = [s.quality for s in found.visited if s.quality and s.quality.beacon]
    assert helped
    assert all(q.error_original is not None and q.error < q.error_original for q in helped)
    with pytest.raises(Killed):
        run(experiment, tmp_path / "killed", progress=KillingDisplay())
    run(experiment, tmp_path / "killed", resume=True)
    whole, resumed = ((tmp_path / folder / "pareto.csv").read_text() for folder in ("whole", "killed"))
    assert resumed == whole
    _check_what_the_report_says(tmp_path / "killed", experiment)


def _check_what_the_report_says(folder: Path, experiment: Experiment) -> None:
    """Each solution's error is that of the network with the weights that the report's command names."""
    with (folder / "pareto.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["beacon"] for row in rows)
    (reported,) = gather([folder])
    for row in rows:
        (command,) = reported.commands.error_of(row["bits"], row["beacon"])
        words = shlex.split(command)
        given = dict(zip(words[2::2], words[3::2], strict=True))
        model = load(given["--model"], given["--data"])
        if row["beacon"]:
            model = model.with_weights_of(Path(given["--weights"]))
        assert ("--weights" in given) == bool(row["beacon"])
        found = model.evaluate(model.parse_bits(given["--bits"]))
        assert found.error_max == pytest.approx(float(row["error"]), abs=5.1e-5)


@pytest.mark.slow
def test_every_candidate_retrained_is_nearer_to_the_float_network(experiment: Experiment, tmp_path: Path) -> None:
    plain = {**experiment.to_dict(), "beacons": None, "generations": 0, "population": 4}
    finetuned = {**plain, "finetune": {"epochs": 10, "learning_rate": 1e-2}}
    errors = []
    for name, settings in (("plain", plain), ("finetuned", finetuned)):
        found = run(Experiment.model_validate(settings), tmp_path / name)
        errors.append({str(s.bits): s.quality.error for s in found.visited if s.quality})
    before, after = errors
    assert before.keys() == after.keys()
    narrow = [bits for bits in before if before[bits] > 5]
    assert narrow
    assert all(after[bits] < 0.9 * before[bits] for bits in narrow)


def test_a_search_knows_the_error_before_quantization(experiment: Experiment, tmp_path: Path) -> None:
    settings = {**experiment.to_dict(), "beacons": None, "generations": 0, "population": 4}
    assert run(Experiment.model_validate(settings), tmp_path / "run").float_error == 0.0
