"""Who becomes a beacon and what it gives, candidate by candidate: every bound from both sides."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from stand_in import StandInError, StandInModel, StandInSite

from quant.sites.candidate import Bits, name_of
from search.evaluation.beacon_files import beacon_file
from search.evaluation.beacons import BeaconEvaluator
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Inline
from search.evaluation.ledger import Ledger
from search.evaluation.quality import Quality
from search.settings.beacon_settings import BeaconSettings
from simulators import InputError, load_arch

BASE = 20.0


def candidate(*weights: int) -> dict[str, tuple[int, int]]:
    return {site: (bits, 8) for site, bits in zip(("A", "B"), weights, strict=True)}


@dataclass
class Made(StandInModel):
    """A model of two sites whose errors are said, by candidate; retrained for one, it has those said for that."""

    sites: tuple[StandInSite, ...] = (StandInSite("A", 8, 8), StandInSite("B", 8, 8))
    errors: Mapping[str, float] = field(default_factory=dict)
    retrained_errors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    trained: list[str] = field(default_factory=list)

    def evaluate(self, bits: Bits) -> StandInError:  # type: ignore[override]
        error = self.errors[name_of(bits)]
        return StandInError(error, error - 1)

    def retrained(self, bits: Bits, folder: Path, **options: Any) -> "Made":
        folder.mkdir(parents=True, exist_ok=True)
        self.trained.append(name_of(bits))
        errors = {**self.errors, **self.retrained_errors.get(name_of(bits), {})}
        return Made(digest=f"for {name_of(bits)}", errors=errors)

    def retrained_before(self, folder: Path) -> "Made":
        raise NotImplementedError


def qualities(
    folder: Path,
    errors: list[tuple[Bits, float]],
    retrained: Mapping[str, Mapping[str, float]] | None = None,
    **settings: Any,
) -> tuple[list[Quality | None], list[str]]:
    """What becomes of candidates of some errors, in one generation, and who was retrained."""
    model = Made(errors={name_of(bits): error for bits, error in errors}, retrained_errors=retrained or {})
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        original = Evaluator(model, load_arch("bitfusion"), 10, ledger, Inline())
        chosen = {"threshold": 2.0, "above": 1.0, "below": 14.0, "most": 3, **settings}
        evaluator = BeaconEvaluator(original, BeaconSettings(**chosen), folder)
        evaluator.begin(BASE)
        return evaluator.qualities([bits for bits, _ in errors]), model.trained


@pytest.mark.parametrize(
    ("increase", "worth_it"), [(0.75, False), (1.0, True), (8.0, True), (14.0, True), (14.25, False)]
)
def test_errors_from_and_up_to_which_it_is_worth_it(tmp_path: Path, increase: float, worth_it: bool) -> None:
    _, trained = qualities(tmp_path, [(candidate(2, 2), BASE + increase)])
    assert trained == ["A=2x8,B=2x8"] * worth_it


def test_a_beacon_is_farther_than_the_threshold_from_all_others(tmp_path: Path) -> None:
    """The threshold of 2 octaves itself is not far enough, from the original of 16 bits or from a beacon."""
    errors = [
        (candidate(*weights), BASE + 5) for weights in ((16, 4), (8, 4), (2, 4), (2, 2), (2, 8), (16, 16), (2, 16))
    ]
    _, trained = qualities(tmp_path, errors)
    # (16, 4) is 2 octaves from the original, (8, 4) 3; from that (2, 4) 2, (2, 2) 3; from that (2, 8) 2, (2, 16) 3.
    assert trained == ["A=8x8,B=4x8", "A=2x8,B=2x8", "A=2x8,B=16x8"]
    _, closer = qualities(tmp_path / "closer", errors, threshold=1.75)
    assert closer == ["A=16x8,B=4x8", "A=2x8,B=4x8", "A=2x8,B=16x8"]


def test_there_are_no_more_than_the_most(tmp_path: Path) -> None:
    errors = [(candidate(*weights), BASE + 5) for weights in ((2, 16), (16, 2), (2, 2))]
    assert len(qualities(tmp_path / "3", errors)[1]) == 3
    assert qualities(tmp_path / "2", errors, most=2)[1] == ["A=2x8,B=16x8", "A=16x8,B=2x8"]


@pytest.mark.parametrize(("least", "worth_it"), [(15.9, True), (16.0, True), (16.1, False)])
def test_the_speedup_from_which_it_is_worth_it(tmp_path: Path, least: float, worth_it: bool) -> None:
    """256 / (2 · 8) products of 2 by 8 bits in place of one of 16 by 16."""
    _, trained = qualities(tmp_path, [(candidate(2, 2), BASE + 5)], minimum_speedup=least)
    assert bool(trained) == worth_it


def test_what_has_no_speedup_has_not_the_least_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = BeaconEvaluator.cost
    monkeypatch.setattr(BeaconEvaluator, "cost", lambda self, bits: replace(cost(self, bits), mohaq_speedup=None))
    assert qualities(tmp_path, [(candidate(2, 2), BASE + 5)], minimum_speedup=0.01)[1] == []


def test_the_nearest_beacon_s_parameters_count_where_they_err_less(tmp_path: Path) -> None:
    """(2, 2) is a beacon; (2, 4) is nearer to it than to 16 bits, (8, 8) is not, and (4, 4), in the middle, neither."""
    name = "A=2x8,B=2x8"
    errors = [(candidate(2, 2), 30.0), (candidate(2, 4), 27.0), (candidate(4, 4), 20.9), (candidate(8, 8), 20.5), (candidate(2, 8), 20.75)]  # fmt: skip
    retrained = {
        name: {"A=2x8,B=2x8": 25.0, "A=2x8,B=4x8": 27.0, "A=4x8,B=4x8": 9.0, "A=8x8,B=8x8": 9.0, "A=2x8,B=8x8": 20.5}
    }
    found, trained = qualities(tmp_path, errors, retrained, threshold=3.0)
    assert trained == [name]
    assert found == [
        Quality(25.0, 24.0, name, 30.0), Quality(27.0, 26.0),  # as good as the original: no beacon's
        Quality(9.0, 8.0, name, 20.9), Quality(20.5, 19.5), Quality(20.5, 19.5, name, 20.75),
    ]  # fmt: skip


def test_a_beacon_s_parameters_are_found_by_all_that_it_is_of(tmp_path: Path) -> None:
    """Model, candidate and, of a run's own, data and settings of training; a carried one was trained as another run
    says."""
    qualities(tmp_path, [(candidate(2, 2), BASE + 5)])
    (folder,) = (tmp_path / "beacons").iterdir()
    name, settings = "A=2x8,B=2x8", BeaconSettings()
    of = {"model": "stand-in", "data": "no data"}
    assert beacon_file(tmp_path, settings, of, name).parent == folder
    carrying = BeaconSettings(epochs=9, carry=(str(tmp_path),))
    assert beacon_file(tmp_path / "other", carrying, of | {"data": "other"}, name).parent == folder
    for lost in (
        (settings, of | {"model": "other"}, name),
        (settings, of | {"data": "other"}, name),
        (settings, of, "A=4x8,B=2x8"),
        (BeaconSettings(epochs=9), of, name),
    ):
        with pytest.raises(InputError, match=r"beacons: the beacon A=.x8,B=2x8 is lost"):
            beacon_file(tmp_path, *lost)
