"""A search holds its 16-bit baseline against float32, and says where they are apart."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from search import Experiment, run
from search.runs.run_reader import load_run
from search.runs.search_display import float_line, print_front
from simulators.inputs.terminal import Terminal
from tests.helpers.stand_in import StandInError, StandInModel


@dataclass
class FloatStandIn(StandInModel):
    exact: Any = 3.0
    asked: int = 0

    def float_error(self) -> StandInError:
        self.asked += 1
        return StandInError(self.exact, self.exact)


def experiment(**settings: Any) -> Experiment:
    return Experiment(name="small", population=4, offspring=2, generations=1, steps=4, constraints={}, **settings)


@pytest.mark.slow
def test_it_is_said_where_16_bits_lose_more_than_a_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = FloatStandIn()
    found = run(experiment(), tmp_path / "run", model=model, check=False)
    assert found.float_error == 3.0
    print_front(found, Terminal())
    text = " ".join(capsys.readouterr().out.split())
    baseline = found.baselines[16].quality
    assert baseline is not None
    assert f"16 bits everywhere err {baseline.error:.2f} %, float32 3.00 %" in text
    assert load_run(tmp_path / "run").results["float_error"] == 3.0
    again = FloatStandIn()
    run(experiment(), tmp_path / "run", resume=True, model=again, check=False)
    assert (model.asked, again.asked) == (1, 0)  # the ledger has it


@pytest.mark.parametrize(
    ("exact", "said"), [(3.0, True), (15.9, True), (16.0, False), (17.0, False), (18.1, True), (None, False)]
)
def test_a_point_is_allowed(exact: float | None, said: bool) -> None:
    results = {
        "float_error": exact,
        "baselines": [{"solution": "8-bit", "error": 99.0}, {"solution": "16-bit", "error": 17.0}],
    }
    assert bool(float_line(results)) is said
    assert not float_line({"float_error": 1.0, "baselines": []})


@pytest.mark.slow
def test_models_that_do_not_say_it_are_not_asked(tmp_path: Path) -> None:
    assert run(experiment(), tmp_path / "run", model=StandInModel(), check=False).float_error is None


@pytest.mark.slow
def test_no_number_is_none(tmp_path: Path) -> None:
    assert run(experiment(), tmp_path / "run", model=FloatStandIn(exact=float("nan")), check=False).float_error is None
