"""Every method looks at distinct design points within the limits that are known, as many as were asked for or as there
are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from stand_in import StandInModel
from watched_method import Watched

from quant.sites.candidate import name_of
from search import Experiment, run
from search.codesign.hardware_search import search_hardware
from search.methods import METHODS, Genes
from search.methods.fresh import Fresh, enumerated
from search.methods.random_search import RandomSearch
from search.methods.registry import method_named
from search.runs.shortfall import NothingFeasible
from simulators import InputError

SETTINGS: dict[str, Any] = {"name": "distinct", "population": 10, "offspring": 5, "generations": 6, "steps": 5}
PLANNED = 10 + 5 * 6
HARDWARE = [
    {"archs": ["bitfusion"], "grid": {"array.rows": [4, 8], "dram.bits_per_cycle": [24, 192]}},
    {"archs": ["silago"]},
]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS.names())
def test_lifted_bits_and_memory_within_the_budget(method: str, tmp_path: Path) -> None:
    """Lifting makes one candidate of several gene vectors; of all candidates 3 in 100 are within the limit."""
    settings = Experiment.model_validate(
        {**SETTINGS, "constraints": {"memory_mib": 0.0007}, "minimum_activation_bits": {"FC": 16, "L0": 8}}
    )
    watched = Watched(method_named(method))
    found = run(settings, tmp_path / "run", model=StandInModel(), method=watched)
    names = [trial.name for trial in watched.trials]
    assert len(names) == len(set(names)) == len(found.visited)
    # Greedy waits for what a step comes to: its last generation may go beyond.
    assert len(names) == PLANNED or (method == "greedy" and PLANNED < len(names) < PLANNED + 5)
    assert all(s.cost.memory_mib <= 0.0007 for s in found.visited)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["surrogate", "additive", "nsga2", "nsga3", "age-moea", "random"])
def test_hardware_genes_that_have_no_say_make_no_other_point(method: str, tmp_path: Path) -> None:
    settings = Experiment.model_validate({**SETTINGS, "hardware": HARDWARE})
    watched = Watched(method_named(method))
    search_hardware(settings, tmp_path / "run", model=StandInModel(), method=watched)
    names = [trial.name for trial in watched.trials]
    assert len(names) == len(set(names)) == PLANNED


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS.names())
def test_a_small_space_is_looked_at_to_its_end(method: str, tmp_path: Path) -> None:
    """SiLago's 4, 8 and 16 bits for three sites, of which memory leaves those of at most 8 at the largest."""
    settings = Experiment.model_validate({
        **SETTINGS, "generations": 20, "arch": "silago", "fixed": {"P1": "4x4"}, "constraints": {"memory_mib": 0.0025},
    })  # fmt: skip
    model = StandInModel()
    found = run(settings, tmp_path / "run", model=model, method=method_named(method))
    every = [
        {"L0": (a, a), "P1": (4, 4), "L1": (b, b), "FC": (c, c)}
        for a in (4, 8, 16) for b in (4, 8, 16) for c in (4, 8, 16)
    ]  # fmt: skip
    within = {name_of(bits) for bits in every if model.trace(bits, 5).weight_bits_total <= 0.0025 * 2**23}
    assert 9 < len(within) < 27
    assert {s.name for s in found.visited} == within


@pytest.mark.parametrize("method", ["greedy", "surrogate", "random"])
def test_the_method_that_ran_is_recorded(method: str, tmp_path: Path) -> None:
    """What knows widths only takes no hardware for one: NSGA-II takes its place."""
    settings = Experiment.model_validate({**SETTINGS, "generations": 1, "hardware": HARDWARE, "method": method})
    search_hardware(settings, tmp_path / "run", model=StandInModel())
    ran = yaml.safe_load((tmp_path / "run/run.yaml").read_text())["experiment"]["method"]
    assert ran == ("nsga2" if method == "greedy" else method)


class Heedless(RandomSearch):
    """Asks for the widest first, which no limit lets pass, and for the same again."""

    def ask(self) -> Genes | None:
        asked = super().ask()
        assert asked is not None
        return np.concatenate([asked, asked[:1], 0 * asked[:2] + 3])


def test_what_is_screened_or_known_is_not_charged(tmp_path: Path) -> None:
    """Of 13 or 8 of a generation 10 or 5 are new."""
    settings = Experiment.model_validate({**SETTINGS, "constraints": {"memory_mib": 0.0014}})
    found = run(settings, tmp_path / "run", model=StandInModel(), method=Heedless())
    evaluated = [s for s in found.visited if s.quality is not None and s.cost.memory_mib <= 0.0014]
    assert len(evaluated) == PLANNED


class Stubborn(Heedless):
    def ask(self) -> Genes | None:
        return np.full((5, 8), 3)


def test_a_method_that_asks_for_nothing_that_it_may_comes_to_an_end(tmp_path: Path) -> None:
    settings = Experiment.model_validate({**SETTINGS, "constraints": {"memory_mib": 0.0014}})
    found = run(settings, tmp_path / "run", model=StandInModel(), method=Stubborn())
    assert found.front == ()
    assert "exceeds them by 0.00276 MiB of memory" in found.shortfall


@pytest.mark.parametrize("hardware", [False, True])
def test_a_memory_that_nothing_keeps_is_said_before_anything_is_evaluated(tmp_path: Path, hardware: bool) -> None:
    model = StandInModel()
    changes = {"hardware": HARDWARE[:1]} if hardware else {}
    settings = Experiment.model_validate({**SETTINGS, "constraints": {"memory_mib": 0.0001}, **changes})
    search = search_hardware if hardware else run
    with pytest.raises(
        NothingFeasible, match=r"constraints.memory_mib: 0.0001: .*FC=2x2, takes 0.0005198 MiB, 0.0004198 too many"
    ):
        search(settings, tmp_path / "run", model=model)
    assert model.evaluations == []
    assert NothingFeasible.exit_code == 1
    assert InputError.exit_code == 2


@pytest.mark.slow
def test_a_memory_that_candidates_keep_on_some_hardware_is_one_that_can_be_kept(tmp_path: Path) -> None:
    """SiLago has no 2 bits, and is the first."""
    settings = Experiment.model_validate(
        {**SETTINGS, "generations": 1, "constraints": {"memory_mib": 0.001}, "hardware": HARDWARE[::-1]}
    )
    found = search_hardware(settings, tmp_path / "run", model=StandInModel())
    archs = [found.hardware.variants[int(variant)].arch for variant in found.variant[found.front]]
    assert {arch.platform for arch in archs} == {"bitfusion"}


@pytest.mark.slow
@pytest.mark.parametrize("hardware", [False, True])
def test_an_error_that_nothing_keeps_is_said_with_what_lacks(tmp_path: Path, hardware: bool) -> None:
    changes = {"hardware": HARDWARE} if hardware else {}
    settings = Experiment.model_validate({**SETTINGS, "constraints": {"error": 10.0}, **changes})
    wanted = r"of 40 candidates the nearest, .*L0=16x16.*, exceeds them by 6\.\d+ percentage points of error"
    if hardware:
        with pytest.raises(NothingFeasible, match=wanted):
            search_hardware(settings, tmp_path / "run", model=StandInModel())
        return
    found = run(settings, tmp_path / "run", model=StandInModel())
    assert found.front == ()
    with pytest.raises(NothingFeasible, match=wanted):
        raise NothingFeasible(found.shortfall)


class Grid:
    """Two genes of bits and one of hardware; the sum of bits is limited, and hardware 1 runs nothing."""

    upper = np.array([9, 9, 1])
    hardware_genes = 1

    def name_of(self, genes: Genes) -> str:
        return str(genes.tolist())

    def within(self, genes: Genes) -> np.ndarray:
        return (genes[:, :2].sum(axis=1) <= 3) & (genes[:, 2] == 0)


def test_what_is_within_limits_is_enumerated_and_drawn_to_the_last() -> None:
    every = {(a, b, 0) for a in range(4) for b in range(4 - a)}
    assert {tuple(row.tolist()) for row in enumerated(Grid())} == every
    fresh, generator = Fresh(Grid()), np.random.default_rng(1)
    first = fresh.drawn(4, generator)
    fresh.note(first)
    rest = fresh.drawn(100, generator)
    drawn = [tuple(row) for row in [*first.tolist(), *rest.tolist()]]
    assert len(drawn) == len(every)
    assert set(drawn) == every
