"""The pictures' axes: what they span, their ticks, and that nothing over a limit is drawn as if it kept it."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from stand_in import StandInModel

from search import Experiment, run
from search.objectives.built_in import LATENCY
from search.runs.front_plot import _draw
from search.runs.plot_axes import cost_axis
from search.settings.constraints import Constraints


def test_ticks_of_a_logarithmic_axis_are_round_and_written_in_full() -> None:
    axis = Figure().subplots()
    cost_axis(axis, "ms", np.array([3.0, 40.0]))
    assert [axis.xaxis.get_major_formatter()(x) for x in axis.get_xticks()] == ["5", "10", "20"]
    assert not axis.get_xticks(minor=True).tolist()


def test_limits_keep_what_is_known_to_be_within_them() -> None:
    limits = Constraints(memory_mib=2.0, error_increase=4.0)
    assert limits.kept_by(2.0, 20.0, 20.0)
    assert not limits.kept_by(2.1, 20.0, 20.0)
    assert not limits.kept_by(2.0, 20.1, 20.0)
    assert not limits.kept_by(2.0, None, 20.0)
    assert Constraints().kept_by(2.0, None, None)


@pytest.mark.slow
def test_the_axes_span_what_keeps_the_limits(tmp_path: Path) -> None:
    settings = {"population": 10, "offspring": 5, "generations": 2, "steps": 5, "method": "nsga2"}
    limits = {"error_increase": 2.0, "memory_mib": 0.004}
    found = run(Experiment(name="e", constraints=limits, **settings), tmp_path / "run", model=StandInModel())
    error = {width: s.quality.error for width, s in found.baselines.items() if s.quality}
    assert found.baselines[16].cost.memory_mib > 0.004  # slow, and over the memory limit
    assert error[2] > (found.error_limit or 0.0)
    axis = Figure().subplots()
    _draw(axis, found, LATENCY)
    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    assert right < found.baselines[16].cost.latency_ms
    assert high < error[2]
    for solution in found.front:
        assert solution.quality
        assert left < solution.cost.latency_ms < right
        assert low < solution.quality.error < high
    evaluated = next(c for c in axis.collections if c.get_label() == "evaluated")
    assert isinstance(evaluated, PathCollection)
    assert len(np.asarray(evaluated.get_offsets())) == sum(found.feasible)


@pytest.mark.parametrize("values", [[], [0.0, 1.0], [5.0, 5.0], [float("nan"), 3.0]])
def test_any_values_have_an_axis(values: list[float]) -> None:
    axis = Figure().subplots()
    cost_axis(axis, "ms", np.array(values))
    assert axis.get_xlim()[0] < axis.get_xlim()[1]
