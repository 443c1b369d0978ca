"""Methods that a caller brings: an instance, asked and told in turn, and refused where it is none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from stand_in import StandInModel

from search import Experiment, run
from search.codesign.hardware_search import search_hardware
from search.methods import Genes, MethodSettings, Space, Trial, register_method
from search.methods.greedy import Greedy
from simulators import InputError
from simulators.inputs.source_locations import KeyedError

SETTINGS = {"name": "own", "population": 4, "generations": 3}


class Narrowing:
    """The widest candidate, then all genes one step narrower, and so on."""

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self.space, self.told = space, list[Trial]()

    def ask(self) -> Genes | None:
        narrower = self.space.upper - len(self.told)
        return narrower[None] if (narrower >= 0).all() else None

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told += trials


def test_an_instance_is_asked_and_told_until_it_has_nothing_left(tmp_path: Path) -> None:
    method = Narrowing()
    found = run(Experiment(**SETTINGS), tmp_path / "run", model=StandInModel(), method=method)
    assert [{*s.bits.values()} for s in found.visited] == [{(16, 16)}, {(8, 8)}, {(4, 4)}, {(2, 2)}]
    for trial, solution in zip(method.told, found.visited, strict=True):
        assert trial.error == trial.objectives[0] == solution.quality.error
        assert trial.objectives[1:].tolist() == [solution.cost.latency_ms, solution.cost.energy_uj]
        assert trial.feasible == (trial.error <= found.error_limit)
        assert method.space.decode(trial.genes) == trial.bits
        assert method.space.encode(trial.bits).tolist() == trial.genes.tolist()
        assert method.space.name_of(trial.genes) == trial.name
        values, violations = method.space.preview(trial.genes[None], np.array([trial.error]))
        assert values[0].tolist() == trial.objectives.tolist()
        assert violations[0].tolist() == trial.violations.tolist()
    assert [(site.name, site.outputs, site.inputs, site.macs) for site in method.space.sites] == [
        (site.name, site.outputs, site.inputs, site.outputs * site.inputs * 300) for site in StandInModel().sites
    ]


class Impatient(Narrowing):
    def check(self, settings: MethodSettings, objectives: int) -> None:
        if settings.generations > 2:
            raise KeyedError(("generations",), f"{settings.generations}: it has patience for 2, and {objectives} goals")


def test_an_instance_says_which_settings_it_cannot_work_with(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="generations: 3: it has patience for 2, and 3 goals"):
        run(Experiment(**SETTINGS), tmp_path / "run", model=StandInModel(), method=Impatient())
    assert not (tmp_path / "run").exists()


def test_an_instance_that_knows_bits_only_searches_no_hardware(tmp_path: Path) -> None:
    hardware = [{"grid": {"array.rows": [8, 16]}}]
    with pytest.raises(InputError, match="hardware: Greedy knows bits only; nsga2 searches both"):
        search_hardware(
            Experiment(**SETTINGS, hardware=hardware), tmp_path / "run", model=StandInModel(), method=Greedy()
        )


@pytest.mark.slow
def test_its_run_resumes_with_it_and_not_without(tmp_path: Path) -> None:
    first = run(Experiment(**SETTINGS), tmp_path / "run", model=StandInModel(), method=Narrowing())
    again = run(Experiment(**SETTINGS), tmp_path / "run", resume=True, model=StandInModel(), method=Narrowing())
    assert again.evaluated == 0
    assert [s.name for s in again.visited] == [s.name for s in first.visited]
    with pytest.raises(InputError, match="differs in method"):
        run(Experiment(**SETTINGS), tmp_path / "run", resume=True, model=StandInModel())
    with pytest.raises(InputError, match=r"Narrowing: it was given in Python: give it to `run` again"):
        run(Experiment.load(tmp_path / "run/run.yaml"), tmp_path / "other", model=StandInModel())


@pytest.mark.parametrize("genes", [[[0.5] * 8], [[4] * 8], [[-1] * 8], [[0] * 7], [0] * 8])
def test_genes_that_there_are_not_are_refused(tmp_path: Path, genes: list) -> None:
    class Wrong(Narrowing):
        def ask(self) -> Genes | None:
            return np.array(genes)

    with pytest.raises(InputError, match=r"method Wrong: it asked for .*: it must ask for whole numbers"):
        run(Experiment(**SETTINGS), tmp_path / "run", model=StandInModel(), method=Wrong())


def test_a_name_in_use_and_what_makes_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="method 'greedy': it is built in already"):
        register_method("greedy", Narrowing)
    with pytest.raises(InputError, match="method own: Narrowing: it must be a class or a function"):
        register_method("own", Narrowing())


class Reusing(Narrowing):
    """It keeps one array for what it asks, and clears it when it is told."""

    def ask(self) -> Genes | None:
        self.genes = super().ask()
        return self.genes

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self.genes[:] = 0


def test_what_a_method_does_with_its_own_array_changes_nothing(tmp_path: Path) -> None:
    found = run(Experiment(**SETTINGS), tmp_path / "run", model=StandInModel(), method=Reusing())
    method = Reusing()
    again = run(Experiment(**SETTINGS), tmp_path / "run", resume=True, model=StandInModel(), method=method)
    assert [s.name for s in again.visited] == [s.name for s in found.visited]
    assert [int(trial.genes.max()) for trial in method.told] == [3, 2, 1, 0]


class Silent(Narrowing):
    def ask(self) -> Genes | None:
        return None


class Odd(Narrowing):
    def ask(self) -> Genes | None:
        return 5  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("method", "message"),
    [(Silent(), "Silent: it asks for nothing"), (Odd(), r"Odd: it asked for int64 of shape \(\)")],
)
def test_a_method_that_asks_for_nothing_or_nonsense_is_one_line(
    method: Narrowing, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        run(Experiment(**SETTINGS), tmp_path / "run", model=StandInModel(), method=method)


def test_random_search_draws_none_twice_and_ends_when_none_is_left(tmp_path: Path) -> None:
    """One site of four widths of weights and of activations: sixteen candidates."""
    model = StandInModel(sites=StandInModel().sites[:1])
    settings = {**SETTINGS, "method": "random", "offspring": 4, "generations": 30, "seed_homogeneous": False}
    found = run(Experiment(**settings, seed_neighbours=False), tmp_path / "run", model=model)
    assert len({s.name for s in found.visited}) == len(found.visited) == 16
    assert len(model.evaluations) <= 17  # and the baseline
