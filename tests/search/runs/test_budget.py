"""A budget: shares of what 8 bits cost on the same hardware, kept by whatever searches, in files and in reports."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from stand_in import StandInModel

from search import Experiment, run
from search.methods import METHODS
from search.report.data import gather
from search.runs.budget_limits import BudgetLimits
from search.runs.search_display import print_results
from search.runs.shortfall import NothingFeasible
from simulators import InputError, load_arch, simulate
from simulators.inputs.terminal import Terminal

BUDGET = {"latency": 0.95, "energy": 0.7, "memory": 0.8}
SETTINGS: dict[str, Any] = {
    "name": "budget", "population": 8, "offspring": 4, "generations": 3, "steps": 5, "seed": 2,
    "constraints": {"budget": BUDGET},
}  # fmt: skip
FIGURES = {"latency": "latency_ms", "energy": "energy_uj", "memory": "memory_mib"}


def cost_of(width: int) -> dict[str, float]:
    """Latency in ms, energy in µJ and memory in MiB of one width for everything, from a simulation by itself."""
    trace = StandInModel().trace({site.name: (width, width) for site in StandInModel().sites}, 5)
    report = simulate(trace, load_arch("bitfusion"))
    return {"latency": report.latency_ms, "energy": report.energy_uj, "memory": trace.weight_bits_total / 2**23}


def most() -> dict[str, float]:
    """The largest latency in ms, energy in µJ and memory in MiB."""
    return {name: BUDGET[name] * cost for name, cost in cost_of(8).items()}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS.names())
def test_every_method_asks_for_what_keeps_it(method: str, tmp_path: Path) -> None:
    model = StandInModel()
    found = run(Experiment.model_validate(SETTINGS | {"method": method}), tmp_path / "run", model=model, check=False)
    assert len(found.visited) >= 20
    assert all(found.feasible)
    for name, limit in most().items():
        assert max(getattr(s.cost, FIGURES[name]) for s in found.visited) <= limit
    # The baselines of one width are evaluated all the same; of them 16 bits break it.
    assert len(model.evaluations) <= len(found.visited) + 4


@pytest.mark.slow
def test_it_is_recorded_kept_on_resume_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Experiment.model_validate(SETTINGS | {"method": "random"})
    run(settings, tmp_path / "run", model=StandInModel())
    assert yaml.safe_load((tmp_path / "run/run.yaml").read_text())["experiment"]["constraints"]["budget"] == BUDGET
    results = json.loads((tmp_path / "run/pareto.json").read_text())
    limits = {limit["name"]: limit["share"] * limit["of"] for limit in results["budget"]}
    assert limits == pytest.approx(most())
    assert BudgetLimits.of_stored(results["budget"]).stored() == results["budget"]
    print_results(results, tmp_path / "run", Terminal(width=400))
    said = f"latency at most {limits['latency']:.4g} ms (0.95 of 8 bits)"
    assert said in capsys.readouterr().out
    (reported,) = gather([tmp_path / "run"], {tmp_path / "run": StandInModel()})
    kept = [all(cost <= most()[name] for name, cost in cost_of(width).items()) for width in (16, 8, 4, 2)]
    assert [reported.keeps(detail.row) for detail in reported.baselines] == kept
    assert len({*kept}) == 2
    assert reported.budget.said.startswith(said)
    other = SETTINGS | {"method": "random", "constraints": {"budget": BUDGET | {"energy": 0.6}}}
    with pytest.raises(InputError, match=r"the run to resume differs in constraints"):
        run(Experiment.model_validate(other), tmp_path / "run", resume=True, model=StandInModel())


def test_a_run_from_before_there_were_budgets_goes_on(tmp_path: Path) -> None:
    settings = Experiment.model_validate(SETTINGS | {"method": "random", "constraints": {"error": 30.0}})
    first = run(settings, tmp_path / "run", model=StandInModel())
    state = json.loads((tmp_path / "run/state.json").read_text())
    assert state["identity"]["experiment"]["constraints"].pop("budget") is None
    (tmp_path / "run/state.json").write_text(json.dumps(state))
    again = run(settings, tmp_path / "run", resume=True, model=StandInModel())
    assert [s.name for s in again.visited] == [s.name for s in first.visited]


@pytest.mark.slow
def test_what_is_over_it_is_told_by_how_much(tmp_path: Path) -> None:
    class Widest:
        def begin(self, space: object, settings: object) -> None: ...
        def ask(self) -> np.ndarray:
            return np.full((1, 8), 3)

        def tell(self, trials: object) -> None:
            (self.trial,) = trials  # type: ignore[misc]

    method, model = Widest(), StandInModel()
    settings = Experiment.model_validate(SETTINGS | {"constraints": {"budget": {"energy": 0.7}}})
    found = run(settings, tmp_path / "run", model=model, method=method, check=False)
    over = cost_of(16)["energy"] / cost_of(8)["energy"] - 0.7
    assert method.trial.violations.tolist() == pytest.approx([0.0, 0.0, 0.0, over])
    assert f"exceeds them by {over:.3g} of the 8-bit energy" in found.shortfall


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"constraints": {"budget": {}}}, r"constraints.budget: {}: of nothing: name latency, energy or memory"),
        ({"budget": {"latency": 0.6}}, r"budget: .*it stands under constraints"),
        ({"constraints": {"budget": {"latency": 0}}}, r"constraints.budget.latency: 0: .*"),
        ({"constraints": {"budget": {"area": 0.5}}}, r"constraints.budget.area: .*"),
        ({"hardware": {"archs": ["bitfusion"]}}, r"constraints: .*budget: it is for searches on one piece"),
    ],
)
def test_a_budget_of_nothing_or_of_several_machines_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "file.yaml").write_text(yaml.safe_dump(SETTINGS | changes))
    with pytest.raises(InputError, match=said) as error:
        Experiment.load(tmp_path / "file.yaml")
    assert "\n" not in str(error.value)


def test_a_budget_without_8_bits_or_that_nothing_keeps_is_refused_before_anything_is_evaluated(tmp_path: Path) -> None:
    class Narrow(StandInModel):
        precisions = ((2, 2), (4, 4), (16, 16))

    settings, model = Experiment.model_validate(SETTINGS), Narrow()
    with pytest.raises(InputError, match=r"budget: it is of the cost of 8 bits, which bitfusion does not offer"):
        run(settings, tmp_path / "run", model=model)
    settings = Experiment.model_validate(SETTINGS | {"constraints": {"budget": {"memory": 0.1}}})
    with pytest.raises(NothingFeasible, match=r"\(0.1 of 8 bits\): nothing is within it: the narrowest candidate, L0="):
        run(settings, tmp_path / "run", model=StandInModel())
    assert not model.evaluations
