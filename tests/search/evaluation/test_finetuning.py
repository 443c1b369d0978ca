"""Every candidate retrained before it is evaluated: what it errs then, once each, and after a kill."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from killed import Killed
from stand_in import StandInError, StandInModel

from quant.sites.candidate import Bits, name_of
from search import Experiment, run
from simulators import InputError

SETTINGS: dict[str, Any] = {
    "name": "finetuned", "population": 6, "offspring": 3, "generations": 2, "steps": 5, "seed": 1, "method": "haq-ddpg",
    "agent": {"warmup": 3, "hidden": 8}, "constraints": {"budget": {"energy": 0.7}}, "finetune": {"epochs": 2},
}  # fmt: skip


@dataclass
class Retrainable(StandInModel):
    """Retraining halves what is above 16 % for the candidate that it was for, and spoils all others."""

    trained_for: str = ""
    trainings: list[tuple[str, int, float]] = field(default_factory=list)
    most: int = 1000

    def evaluate(self, bits: Bits) -> StandInError:  # type: ignore[override]
        found = super().evaluate(bits)
        if not self.trained_for:
            return found
        error = 16 + (found.error_max - 16) / 2 if name_of(bits) == self.trained_for else 90.0
        return StandInError(error, error)

    def retrained(
        self, bits: Bits, folder: Path, *, epochs: int, learning_rate: float, on_step: Any = None
    ) -> "Retrainable":
        if not (folder / "done").is_file():
            if len(self.trainings) == self.most:
                raise Killed
            self.trainings.append((name_of(bits), epochs, learning_rate))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "done").write_text(name_of(bits))
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> "Retrainable":
        name = (folder / "done").read_text()
        return Retrainable(digest=f"for {name}", trained_for=name)


def test_each_is_retrained_once_and_evaluated_with_that(tmp_path: Path) -> None:
    model, plain = Retrainable(), StandInModel()
    found = run(Experiment.model_validate(SETTINGS), tmp_path / "run", model=model)
    assert [name for name, *_ in model.trainings] == [s.name for s in found.visited]
    assert {(epochs, rate) for _, epochs, rate in model.trainings} == {(2, 5e-4)}
    assert len(found.visited) == 12
    for solution in found.visited:
        assert solution.quality is not None
        assert solution.quality.beacon == solution.name
        original = plain.evaluate(solution.bits).error_max
        assert solution.quality.error == pytest.approx(16 + (original - 16) / 2)
    assert [s.quality.error for s in found.baselines.values() if s.quality] == [
        plain.evaluate(s.bits).error_max for s in found.baselines.values()
    ]
    assert found.evaluated == 12 + len(found.baselines)
    assert len([*(tmp_path / "run/beacons").iterdir()]) == 12


@pytest.mark.slow
def test_one_that_was_killed_goes_on_with_what_was_retrained(tmp_path: Path) -> None:
    settings = Experiment.model_validate(SETTINGS)
    whole = run(settings, tmp_path / "whole", model=Retrainable())
    with pytest.raises(Killed):
        run(settings, tmp_path / "parts", model=Retrainable(most=8))
    rest = Retrainable()
    parts = run(settings, tmp_path / "parts", resume=True, model=rest)
    assert len(rest.trainings) == 4
    assert [(s.name, s.quality) for s in parts.visited] == [(s.name, s.quality) for s in whole.visited]
    assert (tmp_path / "parts/pareto.csv").read_bytes() == (tmp_path / "whole/pareto.csv").read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"beacons": {}}, "finetune: every candidate is retrained: there are no beacons beside"),
        ({"hardware": {"archs": ["bitfusion"]}, "constraints": {}}, r"finetune: a co-design \(hardware\) is inference"),
        ({"finetune": {"epochs": 0}}, r"finetune.epochs"),
    ],
)
def test_what_does_not_go_with_it_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Experiment.model_validate(SETTINGS | changes)


def test_a_model_that_cannot_be_retrained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="finetune: this model cannot be retrained"):
        run(Experiment.model_validate(SETTINGS), tmp_path / "run", model=StandInModel())
