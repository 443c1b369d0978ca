"""Errors of another run: what is read of it, what a method makes of it, and that it is part of what a run depends on."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from split_stand_in import SplitModel
from stand_in import StandInError, StandInModel
from watched_method import Watched

from quant.sites.candidate import name_of
from search import Experiment, run
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.methods.additive_error import AdditiveError
from search.methods.known_elsewhere import ErrorByWidth, added_by_genes
from search.methods.method import KnownErrors
from search.methods.registry import method_named
from search.runs.learnt_elsewhere import learnt_elsewhere
from simulators import InputError

WIDTHS = (2, 4, 8, 16)


def experiment(**changes: Any) -> Experiment:
    settings = {"name": "t", "model": "none", "population": 12, "offspring": 4, "generations": 1, "steps": 5,
                "constraints": {}, **changes}  # fmt: skip
    return Experiment.model_validate(settings)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of another model, whose front was held against test."""
    folder = tmp_path_factory.mktemp("other") / "run"
    run(experiment(method="random"), folder, model=SplitModel(digest="another"))
    return folder


def known(seed: int = 1) -> KnownErrors:
    """Errors that fall with every bit of L0, half as much with those of L7, and with none of P1's."""
    draws = np.random.default_rng(seed).choice(WIDTHS, (200, 3, 2)).tolist()
    candidates = [dict(zip(("L0", "L7", "P1"), map(tuple, row), strict=True)) for row in draws]
    exponents = [sum(2 / of["L0"][i] + 1 / of["L7"][i] for i in range(2)) for of in candidates]
    return KnownErrors(candidates, 10 * np.exp(np.array(exponents)))


def test_sites_of_equal_names_then_of_equal_kinds_then_all() -> None:
    of = ErrorByWidth(known())
    step = 2 / 2 - 2 / 16
    wide = (16, 16)
    base = of.of({"L0": wide})
    assert of.of({"L0": (2, 16)}) - base == pytest.approx(step, abs=0.02)
    assert of.of({"P1": (2, 2)}) - of.of({"P1": wide}) == pytest.approx(0, abs=0.02)
    assert of.of({"L3": (16, 2)}) - of.of({"L3": wide}) == pytest.approx(0.75 * step, abs=0.02)  # mean of L0 and L7
    assert of.of({"FC": (2, 16)}) - of.of({"FC": wide}) == pytest.approx(0.5 * step, abs=0.02)  # of all three
    assert of.of({"L0": (3, 16)}) == pytest.approx(
        np.interp(np.log2(3), [1, 2], [of.of({"L0": (w, 16)}) for w in (2, 4)])
    )


@pytest.mark.slow
def test_what_genes_add_is_that_of_their_bits(tmp_path: Path) -> None:
    watched = Watched(method_named("random"))
    run(experiment(method="random"), tmp_path / "run", model=StandInModel(), method=watched)
    added = added_by_genes(watched.space, known())
    of, space = ErrorByWidth(known()), watched.space
    row = np.array([gene % 4 for gene in range(len(space.upper))])
    total = sum(values[row[gene]] for gene, values in enumerate(added))
    assert total == pytest.approx(of.of(space.decode(row)) - of.of(space.decode(space.upper)), abs=1e-9)


def test_a_share_is_learnt_and_none_of_what_misleads() -> None:
    generator = np.random.default_rng(3)
    upper = np.full(6, 3)
    genes = np.vstack([upper, generator.integers(0, 4, (14, 6))])
    costs = generator.uniform(0, 0.4, 6)
    added = [np.arange(3, -1, -1) * cost for cost in costs]
    errors = 12 * np.exp(2.0 * sum(values[genes[:, gene]] for gene, values in enumerate(added)))
    with_it, without = AdditiveError(), AdditiveError()
    with_it.fit(genes, errors, upper, [added])
    without.fit(genes, errors, upper)
    assert with_it.shares == pytest.approx([2.0], abs=0.1)
    others = generator.integers(0, 4, (200, 6))
    truth = np.log(12) + 2.0 * sum(values[others[:, gene]] for gene, values in enumerate(added))
    off = [float(np.abs(model.predict(others) - truth).mean()) for model in (with_it, without)]
    assert off[0] < off[1] / 3
    misleading = [np.arange(3, -1, -1) * cost for cost in costs.max() - costs]
    with_it.fit(genes, errors, upper, [misleading])
    assert np.abs(with_it.predict(others) - truth).mean() < 1.3 * off[1]


def test_only_the_errors_that_the_run_chose_by_are_read(other: Path) -> None:
    (read,) = learnt_elsewhere(experiment(learn_from=[str(other)]))
    model = SplitModel(digest="another")
    assert len(read.candidates) >= 16
    for bits, error in zip(read.candidates, read.errors, strict=True):
        assert error == model.evaluate(bits).error_max


class WithFloatError(StandInModel):
    """A stand-in that says its error before quantization."""

    def float_error(self) -> StandInError:
        return StandInError(1.0, 1.0)


def test_the_error_before_quantization_is_none_of_a_candidate(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    found = run(experiment(method="random"), folder, model=WithFloatError(), check=False)
    assert found.float_error == 1.0  # and so it stands in the ledger
    (read,) = learnt_elsewhere(experiment(learn_from=[str(folder)]))
    assert read.errors.min() > 1.0


@pytest.mark.slow
def test_a_search_that_learns_begins_with_fewer_and_has_no_evaluations_of_others(other: Path, tmp_path: Path) -> None:
    watched = Watched(method_named("surrogate"))
    settings = experiment(learn_from=[str(other)], generations=0)
    with pytest.raises(InputError, match=r"learn_from: method Watched learns nothing from errors of other runs"):
        run(settings, tmp_path / "given", model=StandInModel(), method=watched)
    result = run(settings, tmp_path / "run", model=StandInModel())
    ours = {name_of(bits) for bits in learnt_elsewhere(settings)[0].candidates}
    assert len({s.name for s in result.visited} - ours) > 0
    with closing(Ledger(tmp_path / "run" / LEDGER_FILE)) as ledger:
        assert ledger.counts()["errors"] == result.evaluated


@pytest.mark.slow
def test_what_is_learnt_from_is_part_of_what_a_run_depends_on(other: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(other, source)
    settings = experiment(learn_from=[str(source)], generations=0)
    run(settings, tmp_path / "run", model=StandInModel())
    run(settings, tmp_path / "run", True, model=StandInModel())
    with closing(sqlite3.connect(source / LEDGER_FILE)) as database, database:
        database.execute("UPDATE errors SET result = replace(result, '\"error\": 1', '\"error\": 2')")
    with pytest.raises(InputError, match=r"differs in errors to learn from \(digests\)"):
        run(settings, tmp_path / "run", True, model=StandInModel())
    with closing(sqlite3.connect(source / LEDGER_FILE)) as database, database:
        database.execute("UPDATE errors SET candidate = 'L0=axb' WHERE candidate = (SELECT min(candidate) FROM errors)")
    with pytest.raises(InputError, match=r"learn_from\[0\]: .*L0=axb.*: no candidate"):
        run(settings, tmp_path / "run", True, model=StandInModel())


def test_refusals(tmp_path: Path, other: Path) -> None:
    with pytest.raises(
        InputError, match=r"yaml:3:13: learn_from: .*: method nsga2 learns nothing from errors of other"
    ):
        Experiment.load(_written(tmp_path, f"name: t\nmethod: nsga2\nlearn_from: [{other}]\n"))
    missing = Experiment.load(_written(tmp_path, f"name: t\nlearn_from:\n- {other}\n- {tmp_path / 'nothing'}\n"))
    with pytest.raises(InputError, match=r"experiment.yaml:4:3: learn_from\[1\]: .*nothing: no folder of a run with"):
        run(missing, tmp_path / "run", model=StandInModel())
    few = tmp_path / "few"
    shutil.copytree(other, few)
    with closing(sqlite3.connect(few / LEDGER_FILE)) as database, database:
        database.execute("DELETE FROM errors")
    with pytest.raises(InputError, match="it has errors of 0 candidates: at least 10 tell anything"):
        learnt_elsewhere(experiment(learn_from=[str(few)]))


def _written(folder: Path, text: str) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(text)
    return path
