"""Beacons: who becomes one, what they give, and that a killed search comes to the same."""

import io
import json
import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from killed import Killed
from stand_in import StandInError, StandInModel

from quant.sites.candidate import name_of
from search import Experiment, run
from search.evaluation.beacon_files import beacon_file, stored_beacons
from search.evaluation.beacons import distance
from search.report.data import gather
from search.runs.search_display import print_front
from search.settings.beacon_settings import BeaconSettings
from simulators import InputError
from simulators.inputs.terminal import Terminal

BITS = Mapping[str, tuple[int, int]]


@dataclass
class Retrainable(StandInModel):
    """Retraining lowers the error, less so the farther a candidate is from what it was for."""

    trained_for: BITS | None = None
    kill_in: int = -1
    """The retraining, counted down from here, that is killed in its middle."""
    trainings: int = 0

    def evaluate(self, bits: BITS) -> StandInError:
        found = super().evaluate(bits)
        if self.trained_for is None:
            return found
        factor = min(1.2, 0.5 + 0.08 * distance(dict(bits), dict(self.trained_for)))
        return StandInError(16 + (found.error_max - 16) * factor, 15 + (found.error - 15) * factor)

    def retrained(
        self, bits: BITS, folder: Path, *, epochs: int, learning_rate: float, on_step: Any = None
    ) -> "Retrainable":
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "done").is_file():
            self.trainings += 1
            (folder / "half").touch()
            if self.kill_in == 0:
                raise Killed
            self.kill_in -= 1
            (folder / "done").write_text(name_of(bits))
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> "Retrainable":
        name = (folder / "done").read_text()
        bits = {part.split("=")[0]: tuple(map(int, part.split("=")[1].split("x"))) for part in name.split(",")}
        return Retrainable(digest=f"beacon {name}", trained_for=bits)  # type: ignore[arg-type]


def experiment(**changes: Any) -> Experiment:
    settings = {"threshold": 2.0, "above": 1.0, "below": 14.0, "most": 3, **changes.pop("beacons", {})}
    values = {
        "name": "b", "method": "nsga2", "population": 8, "offspring": 6, "generations": 8, "seed": 2, "constraints": {},
    } | changes  # fmt: skip
    return Experiment.model_validate({**values, "beacons": settings})


@pytest.mark.slow
def test_every_candidate_keeps_the_lower_error(tmp_path: Path) -> None:
    result = run(experiment(), tmp_path / "run", model=Retrainable())
    plain = StandInModel()
    with_beacon = [s for s in result.visited if s.quality and s.quality.beacon]
    assert with_beacon
    for solution in result.visited:
        assert solution.quality is not None
        original = plain.evaluate(solution.bits).error_max
        if solution.quality.beacon:
            assert solution.quality.error < original
        else:
            assert solution.quality.error == pytest.approx(original)
    assert "beacon" in (tmp_path / "run/pareto.csv").read_text().splitlines()[0]


@dataclass
class Utterances:
    frames: int


@dataclass
class Counting(Retrainable):
    """Trains on 1,000 frames, is evaluated on 120."""

    split: str = "dev"
    read: set[str] = field(default_factory=set)
    """The splits whose utterances were asked for."""

    def utterances(self, split: str) -> Utterances:
        self.read.add(split)
        return Utterances({"train": 1000, "dev": 120}[split])


@pytest.mark.slow
def test_what_retrainings_cost_in_evaluations(tmp_path: Path) -> None:
    """By hand: two epochs of 1,000 frames, forward and twice as much backward, over the 120 frames of an evaluation are
    50 evaluations a beacon."""
    model = Counting()
    result = run(experiment(), tmp_path / "run", model=model, check=False)
    beacons = model.trainings
    assert beacons
    told = json.loads((tmp_path / "run/pareto.json").read_text())["retraining"]
    near = {s.name for s in result.visited}  # what was evaluated with a beacon's parameters too is in the ledger
    with closing(sqlite3.connect(tmp_path / "run/ledger.sqlite")) as ledger:
        rows = ledger.execute("SELECT candidate FROM errors WHERE model LIKE 'beacon%'").fetchall()
    assert {name for (name,) in rows} <= near
    assert told == {
        "retrained": beacons, "again": len(rows), "training_frames": 2000 * beacons, "evaluation_frames": 120,
        "evaluations": 50.0 * beacons,
    }  # fmt: skip
    printed = io.StringIO()
    print_front(result, Terminal(file=printed))
    said = " ".join(printed.getvalue().split())
    line = f"{2000 * beacons:,} frames, which costs about as much as {50 * beacons}.0 evaluations of 120 frames"
    assert f"candidates retrained on {line} (a frame of training as 3); {len(rows)} more evaluations" in said
    resumed = Counting()
    again = run(experiment(), tmp_path / "run", model=resumed, resume=True, check=False)
    assert again.retraining == result.retraining
    assert resumed.read == {"dev"}  # what was trained on is not read again only to be counted
    (reported,) = gather([tmp_path / "run"], {tmp_path / "run": Counting()})
    assert line in reported.retraining
    for description in (tmp_path / "run").glob("beacons/*/beacon.json"):  # as older versions wrote them, and damaged
        content = json.loads(description.read_text())
        description.write_text(json.dumps({key: value for key, value in content.items() if key != "frames"}))
    description.write_text("{")
    recounted = Counting()
    run(experiment(), tmp_path / "run", model=recounted, resume=True, check=False)
    assert recounted.read == {"train", "dev"}
    assert json.loads((tmp_path / "run/pareto.json").read_text())["retraining"] == told


@pytest.mark.slow
def test_beacons_are_few_far_apart_and_worth_it(tmp_path: Path) -> None:
    model = Retrainable()
    result = run(experiment(), tmp_path / "run", model=model)
    folders = sorted((tmp_path / "run/beacons").iterdir())
    assert 1 <= len(folders) == model.trainings <= 3
    used = {s.quality.beacon for s in result.visited if s.quality and s.quality.beacon}
    bits = [model.retrained_before(folder).trained_for for folder in folders]
    assert used <= {name_of(b) for b in bits if b}
    base = StandInModel().evaluate(dict.fromkeys((s.name for s in model.sites), (16, 16))).error_max
    for i, one in enumerate(bits):
        assert one is not None
        assert 1.0 <= StandInModel().evaluate(one).error_max - base <= 14.0
        assert all(distance(dict(one), dict(other)) > 2.0 for other in bits[:i] if other)


@pytest.mark.slow
def test_without_room_for_a_beacon_it_is_the_inference_only_search(tmp_path: Path) -> None:
    far = run(experiment(beacons={"threshold": 1000.0}), tmp_path / "far", model=Retrainable())
    plain = experiment().model_copy(update={"beacons": None})
    without = run(plain, tmp_path / "plain", model=Retrainable())
    assert [(s.name, s.quality) for s in far.front] == [(s.name, s.quality) for s in without.front]


@pytest.mark.slow
def test_a_search_killed_in_its_retrainings_ends_the_same(tmp_path: Path) -> None:
    whole = run(experiment(), tmp_path / "whole", model=Retrainable())
    moments, kills = random.Random(0), 0
    for _ in range(4):
        try:
            run(experiment(), tmp_path / "parts", resume=True, model=Retrainable(kill_in=moments.randint(0, 1)))
        except Killed:
            kills += 1
    assert kills >= 2
    again = Retrainable()
    resumed = run(experiment(), tmp_path / "parts", resume=True, model=again)
    assert [(s.name, s.quality) for s in resumed.front] == [(s.name, s.quality) for s in whole.front]
    assert (tmp_path / "parts/pareto.csv").read_bytes() == (tmp_path / "whole/pareto.csv").read_bytes()


@pytest.mark.slow
def test_beacons_are_carried_into_another_search(tmp_path: Path) -> None:
    run(experiment(), tmp_path / "first", model=Retrainable())
    model = Retrainable()
    carried = experiment(seed=5, beacons={"carry": [str(tmp_path / "first")], "most": 3})
    result = run(carried, tmp_path / "second", model=model)
    assert model.trainings <= 3 - len(list((tmp_path / "first/beacons").iterdir()))
    assert any(s.quality and s.quality.beacon for s in result.visited)
    with pytest.raises(InputError, match="a beacon of another model"):
        run(carried, tmp_path / "third", model=Retrainable(digest="other"))
    description = next((tmp_path / "first").glob("beacons/*/beacon.json"))
    description.write_text(description.read_text() + " ")
    with pytest.raises(InputError, match=r"differs in carried beacons \(digests\)"):
        run(carried, tmp_path / "second", resume=True, model=Retrainable())
    with pytest.raises(InputError, match=r"beacons\.carry\[0\]: .*nowhere: it holds no beacons"):
        run(experiment(beacons={"carry": [str(tmp_path / "nowhere")]}), tmp_path / "fourth", model=Retrainable())


def test_what_cannot_be_retrained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this model cannot be retrained"):
        run(experiment(), tmp_path / "run", model=StandInModel())


def test_distance_counts_weights_only() -> None:
    a, b = {"L0": (16, 2), "FC": (2, 16)}, {"L0": (2, 16), "FC": (4, 2)}
    assert distance(a, b) == 4.0
    assert BeaconSettings().threshold == 5.0


@pytest.mark.parametrize(("width", "is_one"), [(1, True), (16, True), (0, False), (17, False)])
def test_widths_of_a_stored_beacon_are_from_1_to_16(tmp_path: Path, width: int, is_one: bool) -> None:
    path = tmp_path / "beacons" / "0123" / "beacon.json"
    path.parent.mkdir(parents=True)
    named = {"of": "m", "data": "d", "code": "c", "digest": "x", "folder": "0123", "epochs": 1, "learning_rate": 0.1}
    path.write_text(json.dumps({"bits": {"L0": [width, 8]}, **named}))
    if is_one:
        assert stored_beacons(tmp_path)[0].bits == {"L0": (width, 8)}
    else:
        with pytest.raises(InputError, match=r"beacon\.json: "):
            stored_beacons(tmp_path)


def test_a_description_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "beacons" / "0123" / "beacon.json"
    path.parent.mkdir(parents=True)
    for text in ('{"bits": {}, "of": "x", "digest": "y"}', "{", "[]"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"beacon\.json: not as this version"):
            beacon_file(tmp_path, BeaconSettings(), {"model": "x", "data": "y"}, "L0=8x8")
