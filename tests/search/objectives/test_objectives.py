"""The table of objectives: what a row follows from, and what no row may be."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from stand_in import StandInModel

from search import Experiment, run
from search.objectives import OBJECTIVES, Floats, Objective, PointFigures, register_objective
from search.objectives.objective import minimised_values
from search.objectives.registry import BUILT_IN, columns_of, objectives_named
from search.runs.search_display import print_front
from simulators import InputError, load_arch, simulate


def figures(**known: list[float]) -> PointFigures:
    """Two design points of which this is known."""
    unknown = [np.nan, np.nan]
    return PointFigures(**{f.name: np.array(known.get(f.name, unknown), float) for f in fields(PointFigures)})


def own(name: str = "own", needs: tuple[str, ...] = ("latency_ms",), column: str = "", **changes: object) -> Objective:
    values = {"unit": "ms", "label": "own", "function": lambda points: points.latency_ms, **changes}
    return Objective(name, needs=needs, column=column, **values)


def test_what_is_maximised_changes_its_sign_and_what_is_unknown_stays_so() -> None:
    points = figures(latency_ms=[1, 2], mohaq_speedup=[3, np.nan])
    values = minimised_values(objectives_named(["latency", "mohaq_speedup"]), points)
    np.testing.assert_array_equal(values, [[1, -3], [2, np.nan]])


def test_what_an_objective_needs_says_where_it_applies() -> None:
    of_error = own(needs=("error", "energy_uj"))
    assert of_error.needs_error
    assert not of_error.of_candidate
    assert own(needs=("memory_mib",)).of_candidate
    of_area = own(needs=("area_mm2", "latency_ms"))
    assert of_area.needs_area
    assert of_area.of_technology
    assert own(needs=("latency_ms", "energy_uj")).of_technology
    assert not own(needs=("latency_ms", "memory_mib")).of_technology
    assert of_area.applies(to_variants=False)
    assert not own(needs=("area_mm2",)).applies(to_variants=False)
    assert own(needs=("mohaq_energy_uj", "mohaq_speedup")).platforms == ("silago",)
    assert not own(needs=("mohaq_speedup",)).applies(to_variants=True)


def test_a_row_is_complete_without_what_has_defaults() -> None:
    objective = own("own-product")
    assert (objective.column, objective.heading, objective.reading) == ("own_product", "ms", "ms")
    assert objective.axis == "own (ms)"
    assert own(unit="").heading == "own"


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("energy", "other", "objective 'energy': it is built in already"),
        ("own", "latency_ms", "objective own: column 'latency_ms': files have a column of that name already"),
        ("own", "share", "objective own: column 'share': files have a column of that name already"),
        ("own", "bits", "objective own: column 'bits': files have a column of that name already"),
        ("Own", "own", "objective 'Own': a name is of a-z"),
    ],
)
def test_a_name_or_a_column_in_use_is_refused(name: str, column: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_objective(own(name, column=column))
    assert tuple(OBJECTIVES.names()[: len(BUILT_IN)]) == BUILT_IN
    assert "own" not in OBJECTIVES


@pytest.mark.parametrize(("needs", "message"), [(("latency",), "needs: latency: it must be of error"), ((), "nothing")])
def test_it_needs_figures_that_there_are(needs: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        own(needs=needs)


@pytest.mark.parametrize("values", [np.ones(3), np.ones((2, 1)), np.array(["a", "b"]), 1.0])
def test_its_function_must_give_a_number_for_each_point(values: Floats) -> None:
    with pytest.raises(InputError, match=r"objective own: its function gives .* for 2 points"):
        own(function=lambda points: values).values(figures(latency_ms=[1, 2]))


def test_columns_are_those_that_can_differ() -> None:
    assert "area" not in [objective.name for objective in columns_of([], of_variants=False)]
    assert [objective.name for objective in columns_of([], of_variants=True)] == [
        "error", "error_plain", "latency", "energy", "area", "memory",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (["error", "latncy"], "did you mean latency?"),
        (["error", "area"], "one hardware has one area"),
        (["error", "error"], "one is named twice"),
    ],
)
def test_an_experiment_refuses_what_is_no_objective_of_it(objectives: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Experiment(name="e", objectives=objectives)


def test_energy_of_dram_is_a_searchs_where_the_platform_has_it(tmp_path: Path) -> None:
    settings = {"name": "d", "model": "none", "objectives": ["memory", "dram_energy"], "population": 4,
                "generations": 0, "constraints": {}}  # fmt: skip
    for arch, changes in (("bit-serial-edge", ()), ("silago", ("dram=null",))):
        experiment = Experiment.model_validate({**settings, "arch": arch, "set": changes})
        rule = rf"objectives\[1\]: dram_energy: {arch} has no figure of DRAM's energy"
        with pytest.raises(InputError, match=rule):
            run(experiment, tmp_path / "run", model=StandInModel())
    over_variants = {"archs": ["bitfusion"], "grid": {"array.rows": [8, 16]}}
    with pytest.raises(ValueError, match=r"objectives\.1: dram_energy: it is for searches on one piece of hardware"):
        Experiment.model_validate({**settings, "hardware": over_variants})
    assert not (tmp_path / "run").exists()
    result = run(Experiment.model_validate(settings), tmp_path / "run", model=StandInModel())
    for solution in result.front:
        report = simulate(StandInModel().trace(solution.bits, 300), load_arch("bitfusion"))
        moved = sum(layer.bits.get("dram_read", 0) + layer.bits.get("dram_write", 0) for layer in report.layers)
        by_hand = moved * load_arch("bitfusion").spec.dram.pj_per_bit * 1e-6
        assert solution.cost.dram_energy_uj == pytest.approx(by_hand, rel=1e-12)


def test_two_plugins_share_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OBJECTIVES, "_registered", {})
    register_objective(own("own-x"))
    with pytest.raises(InputError, match="objective own_x: column 'own_x': objective own-x has it"):
        register_objective(own("own_x"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shown": "zz"}, "shown: 'zz': "),
        ({"shown": "d"}, "shown: 'd': "),
        ({"digits": "3"}, "digits: '3': it must be a whole number"),
        ({"column": "a,b\n"}, "it must be of a-z, 0-9 and `_`"),
    ],
)
def test_what_tables_and_files_could_not_hold_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        own(**changes)


def test_a_function_may_read_figures_only() -> None:
    def doubled(points: PointFigures) -> Floats:
        points.energy_uj[:] *= 2
        return points.energy_uj

    points = figures(energy_uj=[1, 2])
    with pytest.raises(InputError, match=r"objective own: ValueError: .*read-only"):
        own(function=doubled).values(points)
    assert points.energy_uj.tolist() == [1, 2]


def test_what_a_terminal_would_take_for_markup_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OBJECTIVES, "_registered", {})
    register_objective(own("own", unit="[/x]"))
    experiment = Experiment(name="[/name]", population=4, generations=0, objectives=["error", "own"])
    print_front(run(experiment, tmp_path / "run", model=StandInModel()))
    shown = capsys.readouterr().out
    assert "Pareto front of [/name]: error, own" in shown
    assert "[/x]" in shown


@pytest.mark.parametrize(
    ("shown", "value", "text"),
    [
        (",.0f", 12_345.6, "12,346"), (",.0f", 12.4, "12"), (",.0f", 2.84, "2.84"), (",.0f", -0.31, "-0.31"),
        (".2f", 0.0016308, "0.00163"), (".2f", 0.51, "0.51"), (".2f", 0.0, "0.00"), (".3f", 0.00585, "0.00585"),
    ],
)  # fmt: skip
def test_small_values_keep_digits_in_tables(shown: str, value: float, text: str) -> None:
    assert own(shown=shown).text(value) == text
