"""Retraining of networks for pictures: what its passes compute, killed or not the same bits, and searches with it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from killed import Killed
from written_images import written_results

from quant import homogeneous
from quant.images.image_model import ImageModel
from quant.images.image_retraining import HeldThrough, ImageRetraining, RetrainedNetwork, retrain_images
from quant.images.image_training import ImageRecipe, train_images
from quant.training.retraining import RESULT
from search import Experiment, run
from simulators import InputError

RECIPE = ImageRetraining(epochs=3, learning_rate=2e-3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ImageModel:
    folder = tmp_path_factory.mktemp("trained")
    return ImageModel.load(train_images(ImageRecipe("small-images-mobilenet", epochs=8), folder))


@pytest.fixture(scope="module")
def retrained(model: ImageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrained")
    return retrain_images(model, homogeneous(model.sites, 3), folder, RECIPE).path


def seen_by(model: ImageModel, bits: dict[str, tuple[int, int]]) -> RetrainedNetwork:
    return RetrainedNetwork(model.network, model.computes.parameters, model.computes.formats, bits)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4, 2])
def test_a_pass_of_the_training_is_that_of_whole_numbers(bits: int, model: ImageModel) -> None:
    candidate = homogeneous(model.sites, bits) | {"stem": (5, 7)}
    pictures = torch.from_numpy(model.data.dev.x[::40])[:, None]
    ours = seen_by(model, candidate)(pictures)
    exact = model.computes.run(pictures, candidate) * 2.0 ** -model.computes.formats.results["FC"]
    # Results of products are not rounded to 16 bits here, which few bits behind them do not see.
    near = (ours - exact).abs() < (0.02 if bits == 8 else 1e-6) * float(exact.abs().max())
    assert float(near.float().mean()) > 0.99
    ours.square().sum().backward()


@pytest.mark.slow
def test_each_parameter_has_a_gradient_and_clipped_activations_have_none(model: ImageModel) -> None:
    network = seen_by(model, homogeneous(model.sites, 4))
    pictures = torch.from_numpy(model.data.train.x[:64])[:, None]
    torch.nn.functional.cross_entropy(network(pictures), torch.from_numpy(model.data.train.y[:64])).backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in network.weights)
    x = torch.tensor([0.2, 5.0, -5.0], requires_grad=True)
    HeldThrough.apply(x, torch.tensor([0.25, 1.0, -1.0]), torch.tensor([True, False, False])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.slow
def test_the_error_at_few_bits_falls_and_the_file_is_that_of_a_network(model: ImageModel, retrained: Path) -> None:
    bits = homogeneous(model.sites, 3)
    after = ImageModel.load(retrained)
    assert after.evaluate(bits).error < model.evaluate(bits).error - 5
    assert after.on_split("test").evaluate(bits).error < model.on_split("test").evaluate(bits).error - 5
    assert after.record["retrained"] == {
        "of": model.digest, "bits": "3x3", "epochs": 3, "learning_rate": 2e-3, "seed": 1, "kept_epoch": 3,
    } or after.record["retrained"]["bits"].endswith("FC=3x3")  # fmt: skip
    picture = model.data.dev.x[7]
    found = after.computes.run(torch.from_numpy(picture)[None, None], bits)
    assert found.tolist() == [written_results(after.computes, picture, bits)]


@pytest.mark.slow
def test_a_killed_retraining_comes_to_the_same_bits(model: ImageModel, retrained: Path, tmp_path: Path) -> None:
    bits = homogeneous(model.sites, 3)

    def kill(epoch: int, of: int, loss: float) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        retrain_images(model, bits, tmp_path, RECIPE, on_epoch=kill)
    with pytest.raises(InputError, match="a training run is already here"):
        retrain_images(model, bits, tmp_path, RECIPE)
    with pytest.raises(InputError, match="the run to resume has another bits"):
        retrain_images(model, homogeneous(model.sites, 4), tmp_path, RECIPE, resume=True)
    with pytest.raises(InputError, match="the run to resume has another recipe"):
        retrain_images(model, bits, tmp_path, ImageRetraining(3, 1e-3), resume=True)
    done = retrain_images(model, bits, tmp_path, RECIPE, resume=True)
    assert done.path.read_bytes() == retrained.read_bytes()
    assert done.before == model.evaluate(bits).error
    assert done.after == ImageModel.load(retrained).evaluate(bits).error


@pytest.mark.slow
def test_what_errs_more_is_not_kept(model: ImageModel, tmp_path: Path) -> None:
    bits = homogeneous(model.sites, 8)
    done = retrain_images(model.on_split("test"), bits, tmp_path, ImageRetraining(2, learning_rate=1.0))
    assert (done.epoch, done.after) == (0, done.before)
    assert done.before == model.evaluate(bits).error
    assert "retraining did not help: none of 2 epochs errs less" in done.notes[0]
    kept = ImageModel.load(done.path)
    assert kept.evaluate(bits) == model.evaluate(bits)
    assert kept.computes.formats == model.computes.formats


@pytest.mark.slow
def test_what_was_retrained_is_found_by_its_network_alone(model: ImageModel, retrained: Path, tmp_path: Path) -> None:
    before = model.on_split("test").retrained_before(retrained.parent)
    assert before.data is model.data
    assert before.evaluate(homogeneous(model.sites, 3)) == (
        ImageModel.load(retrained).on_split("test").evaluate(homogeneous(model.sites, 3))
    )
    again = before.retrained(homogeneous(model.sites, 8), tmp_path, epochs=1, learning_rate=1e-4)
    assert again.record["retrained"]["of"] == before.digest
    with pytest.raises(InputError, match=rf"{RESULT}: a retraining of another network"):
        model.retrained_before(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": 0}, "retraining: epochs is 0"),
        ({"learning_rate": 0.0}, "retraining: learning_rate is 0.0: it must be positive and at most 1"),
        ({"learning_rate": float("nan")}, "retraining: learning_rate is nan"),
        ({"seed": -1}, "retraining: seed is -1"),
    ],
)
def test_what_a_retraining_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ImageRetraining(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize("retraining", [{"finetune": {"epochs": 1, "learning_rate": 2e-3}},
                                        {"beacons": {"threshold": 4.0, "above": 1.0, "below": 90.0, "epochs": 1,
                                                     "learning_rate": 2e-3, "most": 1}}])  # fmt: skip
def test_a_search_retrains_and_scores_with_it(retraining: dict[str, Any], model: ImageModel, tmp_path: Path) -> None:
    changes = {"population": 4, "offspring": 2, "generations": 1, "method": "random", "constraints": {}, **retraining}
    found = run(Experiment.load("images-mobilenet-edge", changes), tmp_path / "run", model=model)
    owed = [s for s in found.visited if s.quality is not None and s.quality.beacon]
    assert len(owed) == 6 if "finetune" in retraining else owed
    folders = {ImageModel.load(path).record["retrained"]["bits"]: path for path in tmp_path.rglob(RESULT)}
    for solution in owed:
        assert solution.quality is not None
        by_hand = model.retrained_before(folders[solution.quality.beacon].parent)
        assert solution.quality.error == by_hand.evaluate(solution.bits).error_max
