"""Retraining: gradients pass the rounding, a resumed run is the same, and the error at few bits falls."""

from pathlib import Path

import pytest
import torch

from quant import load_model
from quant.arithmetic.clipping import Scheme
from quant.arithmetic.grid import integer_grid
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.evaluation.recogniser import Recogniser
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import FIXED_POINT_BITS, homogeneous
from quant.speech.batches import pack
from quant.training.retraining import recipe_of, retrain
from quant.training.straight_through import OnGrid, StraightThrough
from search import Experiment, run
from simulators import InputError

CELLS = ("sru", "lstm", "gru", "ligru")


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bits", [2, 4, FIXED_POINT_BITS])
def test_it_computes_what_inference_does_and_is_differentiable(cell: str, bits: int) -> None:
    net = Network(
        geometry(
            cell, {"inputs": 5, "layers": 2, "cells": 6, "outputs": 4} | ({"projection": 3} if cell == "sru" else {})
        )
    )
    net.initialise(torch.Generator().manual_seed(1))
    x = torch.randn(30, 2, 5, generator=torch.Generator().manual_seed(2))
    batch = pack([x[:, 0].numpy(), x[:20, 1].numpy()], None, [0, 1])
    candidate = homogeneous(net.sites, bits)
    calibration = calibrate(net, batch.features, batch.lengths)
    seen = StraightThrough(net, candidate, calibration, Scheme())
    ours = net(batch.features, batch.lengths, seen)
    with torch.no_grad():
        exact = net(batch.features, batch.lengths, QuantizedArithmetic(candidate, QuantizedWeights(net), calibration))
    true = torch.arange(len(ours))[:, None] < batch.lengths
    # Elementwise work is not rounded here; where a rounded state crosses a border, a code of a coarse grid differs.
    near = (ours - exact)[true].abs() < 0.02 * float(exact[true].abs().max()) + 0.02
    assert float(near.float().mean()) > (0.9 if bits > 2 else 0.6)
    ours[true].square().sum().backward()
    for site in net.sites:
        gradient = net.get_parameter(site.name).grad
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0


def test_gradients_of_clipped_activations_are_zero() -> None:
    x = torch.tensor([0.2, 5.0, -5.0], requires_grad=True)
    OnGrid.apply(x, integer_grid(4, 1.0)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0, 0.0]


@pytest.fixture(scope="module")
def small(small_model: Path) -> Recogniser:
    return load_model(small_model)


@pytest.mark.slow
def test_it_pays_at_few_bits_and_resumes(small: Recogniser, tmp_path: Path) -> None:
    bits = homogeneous(small.sites, 2)
    training = small.utterances("train")
    whole = retrain(small.checkpoint, bits, training, tmp_path / "whole", epochs=2, learning_rate=4e-3)
    assert load_model(whole).evaluate(bits).error < small.evaluate(bits).error - 1

    class Stopped(Exception):
        pass

    def stop(step: object) -> None:
        if step.epoch == 2:  # type: ignore[attr-defined]
            raise Stopped

    with pytest.raises(Stopped):
        retrain(small.checkpoint, bits, training, tmp_path / "parts", epochs=2, learning_rate=4e-3, on_step=stop)
    with pytest.raises(InputError, match="--resume continues"):
        retrain(small.checkpoint, bits, training, tmp_path / "parts", epochs=2)
    with pytest.raises(InputError, match="another start"):
        retrain(
            small.checkpoint,
            homogeneous(small.sites, 4),
            training,
            tmp_path / "parts",
            epochs=2,
            learning_rate=4e-3,
            resume=True,
        )
    parts = retrain(small.checkpoint, bits, training, tmp_path / "parts", epochs=2, learning_rate=4e-3, resume=True)
    assert parts.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_a_search_retrains_its_beacons(small: Recogniser, tmp_path: Path) -> None:
    beacons = {"threshold": 0.5, "above": 0.5, "below": 60.0, "most": 1, "epochs": 2, "learning_rate": 4e-3}
    experiment = Experiment.model_validate({
        "name": "beacons", "population": 4, "offspring": 2, "generations": 2, "constraints": {}, "beacons": beacons,
    })  # fmt: skip
    result = run(experiment, tmp_path / "run", model=small)
    (folder,) = (tmp_path / "run/beacons").iterdir()
    assert (folder / "retrained.safetensors").is_file()
    assert len(result.visited) >= 6
    for solution in result.visited:
        assert solution.quality is not None
        assert solution.quality.error <= small.evaluate(solution.bits).error_max
    again = run(experiment, tmp_path / "run", resume=True, model=small)
    assert again.evaluated == 0
    assert [(s.name, s.quality) for s in again.front] == [(s.name, s.quality) for s in result.front]


@pytest.mark.parametrize(("setting", "value"), [("learning_rate", float("nan")), ("seed", -1), ("epochs", 0)])
def test_a_recipe_out_of_bounds_is_refused(setting: str, value: float) -> None:
    with pytest.raises(InputError, match=f"training recipe: {setting} is {value}"):
        recipe_of(load_model("sru").checkpoint, **{setting: value})
