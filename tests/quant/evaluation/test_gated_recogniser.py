"""A cell with a recurrent product from training to search, through the commands' functions."""

import importlib.util
from pathlib import Path

import pytest
from paths import ROOT

from quant import homogeneous, load_model
from quant.runs.training_run import run_training
from search import Experiment, run
from simulators import load_arch, simulate


@pytest.fixture(scope="module")
def ligru(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeakng-loader is not installed: the embedded corpus cannot be made")
    return run_training(tmp_path_factory.mktemp("ligru"), cell="ligru", small=True, epochs=2)


@pytest.mark.slow
def test_a_checkpoint_says_what_it_is(ligru: Path) -> None:
    card = ligru.with_suffix(".md").read_text()
    assert "Bidirectional Li-GRU: 2 layers of 48 cells a direction" in card
    assert "mohaq train --out FOLDER --small --cell ligru --layers 2 --cells 48 --epochs 2 --seed 1" in card
    model = load_model(ligru)
    assert [site.name for site in model.sites] == ["W0", "U0", "W1", "U1", "FC"]


@pytest.mark.slow
def test_it_is_evaluated_traced_and_simulated(ligru: Path) -> None:
    model = load_model(ligru)
    wide = model.evaluate(homogeneous(model.sites, 16))
    assert wide.error < 80
    assert abs(wide.error - model.evaluate(None).error) < 1
    assert model.evaluate(homogeneous(model.sites, 2)).error > wide.error
    trace = model.trace(homogeneous(model.sites, 8), 20)
    for arch in ("bitfusion", "silago"):
        assert simulate(trace, load_arch(arch)).cycles > 0


@pytest.mark.slow
def test_it_is_searched(ligru: Path, tmp_path: Path) -> None:
    experiment = Experiment(name="quick", population=4, offspring=2, generations=1)
    front = run(experiment, tmp_path / "run", model=load_model(ligru)).front
    assert front
    assert all(set(solution.bits) == {"W0", "U0", "W1", "U1", "FC"} for solution in front)


@pytest.mark.slow
def test_the_shipped_ligru_meets_its_card() -> None:
    model = load_model("ligru")
    assert [(site.name, site.out_features, site.in_features) for site in model.sites[:3]] == [
        ("W0", 1024, 23), ("U0", 1024, 256), ("W1", 1024, 512),
    ]  # fmt: skip
    rows = (ROOT / "checkpoints/ligru.md").read_text().splitlines()
    card = {row.split("|")[1].strip(): float(row.split("|")[2]) for row in rows if row.startswith(("| 8x8", "| float"))}
    rate = model.evaluate(homogeneous(model.sites, 8))
    assert rate.error == pytest.approx(card["8x8"], abs=0.2)
    assert card["float"] < 17


def test_its_recurrent_weights_stay_on_chip_at_four_bits_only() -> None:
    model = load_model("ligru")
    milliseconds = {
        bits: simulate(model.trace(homogeneous(model.sites, bits)), load_arch("bitfusion")).latency_ms
        for bits in (4, 8)
    }
    assert milliseconds[8] > 15 * milliseconds[4]
