"""Retraining: gradients pass the rounding, a resumed run is the same, and the error at few bits falls."""

from pathlib import Path

import pytest
import torch

from quant import load_model
from quant.arithmetic.clipping import Scheme
from quant.arithmetic.delta import Delta
from quant.arithmetic.grid import integer_grid
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.evaluation.recogniser import Recogniser
from quant.networks.gated import GatedCell
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.networks.registry import CELLS as REGISTERED
from quant.networks.through_time import CellWithBackward
from quant.sites.candidate import FIXED_POINT_BITS, homogeneous, parse_bits
from quant.sites.delta_pair import in_codes
from quant.speech.batches import pack
from quant.training.retraining import recipe_of, retrain
from quant.training.straight_through import HeldOnGrid, HeldStates, OnGrid, StraightThrough
from search import Experiment, run
from simulators import InputError

CELLS = ("sru", "lstm", "gru", "ligru")


def check_gradients(net: Network) -> None:
    """The weights of every site have gradients, finite and not all zero."""
    for site in net.sites:
        gradient = net.get_parameter(site.name).grad
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0


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
    check_gradients(net)


def test_gradients_of_clipped_activations_are_zero() -> None:
    x = torch.tensor([0.2, 5.0, -5.0], requires_grad=True)
    OnGrid.apply(x, integer_grid(4, 1.0)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.slow
def test_with_thresholds_a_pass_is_that_of_the_delta_network() -> None:
    net = Network(geometry("gru", {"inputs": 5, "layers": 2, "cells": 6, "outputs": 4}))
    net.initialise(torch.Generator().manual_seed(1))
    x = torch.randn(30, 2, 5, generator=torch.Generator().manual_seed(2)).cumsum(0) * 0.3
    batch = pack([x[:, 0].numpy(), x[:20, 1].numpy()], None, [0, 1])
    calibration, weights = calibrate(net, batch.features, batch.lengths), QuantizedWeights(net)
    plain, candidate = parse_bits("8", net.sites), parse_bits("8@96", net.sites)
    codes = {site: in_codes(96, calibration.grid(site, 8, Scheme().activations).step) for site in candidate}
    ours = net(batch.features, batch.lengths, StraightThrough(net, candidate, calibration, Scheme()))
    delta = Delta(codes, batch.lengths)
    with torch.no_grad():
        held = net(batch.features, batch.lengths, QuantizedArithmetic(candidate, weights, calibration, delta))
        sent = net(batch.features, batch.lengths, QuantizedArithmetic(plain, weights, calibration))
    true = torch.arange(len(ours))[:, None] < batch.lengths
    assert float((ours - held)[true].detach().abs().mean()) < 0.01 * float((ours - sent)[true].detach().abs().mean())
    ours[true].square().sum().backward()
    check_gradients(net)


def test_what_a_threshold_does_not_send_stays_and_takes_its_gradient() -> None:
    x = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(1)).mul_(0.6).requires_grad_(True)
    grid, unsent = integer_grid(6, 1.0), 9
    held = HeldOnGrid.apply(x, grid, unsent)
    for b in range(2):
        for k in range(3):
            last = 0
            for t in range(9):
                code = max(grid.lowest, min(grid.highest, round(x[t, b, k].item() / grid.step)))
                last = code if abs(code - last) > unsent else last
                assert held[t, b, k].item() == pytest.approx(last * grid.step)
    states = HeldStates(grid, unsent)
    of_all = torch.stack([states(of_step) for of_step in x.detach()[:, None]])
    torch.testing.assert_close(of_all[:, 0], held.detach(), rtol=0, atol=0)
    held.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, (x.detach().abs() <= 1.0 + grid.step / 2).float())


@pytest.mark.parametrize("cell", ["lstm", "gru", "ligru"])
def test_gradients_by_hand_are_those_of_the_held_states(cell: str) -> None:
    kind, generator = REGISTERED.get(cell), torch.Generator().manual_seed(3)
    assert isinstance(kind, CellWithBackward)
    shapes = (7, 2, 2, 3 * kind.gates), (2, 3 * kind.gates, 3), kind.vectors_shape(3, 2)
    values, found = [torch.randn(shape, generator=generator) for shape in shapes], []
    for passes in (CellWithBackward.differentiable, GatedCell.differentiable):
        u, w, bias = (value.clone().requires_grad_(True) for value in values)
        h = passes(kind, u, w, bias, HeldStates(integer_grid(6, 1.0), 5))
        h.square().sum().backward()
        found.append((h.detach(), u.grad, w.grad))
    for by_hand, stepwise in zip(*found, strict=True):
        torch.testing.assert_close(by_hand, stepwise, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def small(small_model: Path) -> Recogniser:
    return load_model(small_model)


@pytest.mark.slow
def test_it_pays_at_few_bits_and_resumes(small: Recogniser, tmp_path: Path) -> None:
    bits = homogeneous(small.sites, 2)
    training = small.utterances("train")
    errs = small.errs_at(bits)
    done = retrain(small.checkpoint, bits, training, tmp_path / "whole", errs, epochs=2, learning_rate=4e-3)
    whole = done.path
    assert load_model(whole).evaluate(bits).error < small.evaluate(bits).error - 1
    assert (done.before, done.after) == (small.evaluate(bits).error, load_model(whole).evaluate(bits).error)

    class Stopped(Exception):
        pass

    def stop(step: object) -> None:
        if step.epoch == 2:  # type: ignore[attr-defined]
            raise Stopped

    with pytest.raises(Stopped):
        retrain(small.checkpoint, bits, training, tmp_path / "parts", errs, epochs=2, learning_rate=4e-3, on_step=stop)
    with pytest.raises(InputError, match="--resume continues"):
        retrain(small.checkpoint, bits, training, tmp_path / "parts", errs, epochs=2)
    with pytest.raises(InputError, match="another start"):
        retrain(
            small.checkpoint,
            homogeneous(small.sites, 4),
            training,
            tmp_path / "parts",
            errs,
            epochs=2,
            learning_rate=4e-3,
            resume=True,
        )
    parts = retrain(
        small.checkpoint, bits, training, tmp_path / "parts", errs, epochs=2, learning_rate=4e-3, resume=True
    )
    assert parts.path.read_bytes() == whole.read_bytes()
    assert (parts.before, parts.after) == (done.before, done.after)


@pytest.mark.slow
def test_what_errs_more_is_not_kept(small: Recogniser, tmp_path: Path) -> None:
    bits, training = homogeneous(small.sites, 8), small.utterances("train")
    done = retrain(small.checkpoint, bits, training, tmp_path, small.errs_at(bits), learning_rate=1.0)
    assert (done.epoch, done.after) == (0, done.before)
    assert done.notes[0].startswith("retraining did not help: the one epoch errs more")
    kept = load_model(done.path)
    assert kept.evaluate(bits) == small.evaluate(bits)
    assert kept.checkpoint.calibration == small.checkpoint.calibration
    assert kept.checkpoint.record["retrained"]["kept_epoch"] == 0


@pytest.mark.slow
def test_nothing_is_chosen_by_the_test_split(small: Recogniser) -> None:
    bits = homogeneous(small.sites, 4)
    errs = small.on_split("test").errs_at(bits)
    assert errs.data_digest == small.data_digest
    assert errs.evaluate(small.checkpoint) == small.evaluate(bits)


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
