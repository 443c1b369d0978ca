"""Networks for pictures with codebooks: whole numbers against plain ones, sizes by hand, searches for the smallest."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from written_images import written_results

from quant.evaluation.code import IMAGE_CODEBOOKS
from quant.images.codebook_model import CodebookImages, load_images
from quant.images.float_network import Parameters
from quant.images.image_model import ImageModel
from quant.images.image_training import ImageRecipe, train_images
from search import Experiment, run
from simulators import InputError


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_images(ImageRecipe("small-images-mobilenet", epochs=1), tmp_path_factory.mktemp("codebooks"))


@pytest.fixture(scope="module")
def model(trained: Path) -> ImageModel:
    return load_images(trained, None, codebooks=True)


def test_whole_numbers_are_those_of_plain_python(model: ImageModel) -> None:
    bits = {site.name: (1 + i % 8, 16) for i, site in enumerate(model.sites)}
    held = {site: model.computes.weights(site, w) for site, (w, _) in bits.items()}
    scale = {site: torch.ldexp(torch.ones(len(f)), -f).view(-1, *[1] * (c.dim() - 1)) for site, (c, f) in held.items()}
    centroids = {site: codes * scale[site] for site, (codes, _) in held.items()}
    assert all(len(values.unique()) <= 1 << bits[site][0] for site, values in centroids.items())
    looked_up: Any = SimpleNamespace(
        formats=model.computes.formats, network=model.network, weights=lambda site, _: held[site],
        parameters=Parameters(centroids, model.computes.parameters.biases),
    )  # fmt: skip
    picture = model.data.dev.x[7]
    found = model.computes.run(torch.from_numpy(picture)[None, None], bits)
    assert found.tolist() == [written_results(looked_up, picture, dict.fromkeys(bits, (16, 16)))]


def test_errors_sizes_and_names(model: ImageModel, trained: Path) -> None:
    plain = load_images(trained, None, codebooks=False)
    assert model.digest == f"{plain.digest}:weights=kmeans"
    assert model.code is IMAGE_CODEBOOKS
    wide = model.parse_bits("16")
    assert model.evaluate(wide).error == plain.evaluate(wide).error
    assert abs(model.evaluate(model.parse_bits("8x16")).error - plain.float_error().error) < 2
    bits = model.parse_bits("4x16,FC=1x16,stem=8x16")
    # Weights of the stem, fewer than 256; the classifier, of 96 x 10; the others, each with 16 centroids.
    others = sum(site.weights for site in model.sites) - 144 - 960
    assert model.stored_bits(bits) == 144 * 8 + 144 * 16 + 960 + 2 * 16 + 4 * others + (len(model.sites) - 2) * 16 * 16
    assert model.trace(bits, 2) == plain.trace(plain.parse_bits("16"), 2)
    with pytest.raises(InputError, match=r"stem: 8 bits: k-means is of weights alone.*4x16"):
        model.evaluate(plain.parse_bits("8"))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["haq-ddpg", "surrogate"])
def test_a_search_within_a_size(method: str, trained: Path, tmp_path: Path) -> None:
    changes = {"model": str(trained), "method": method, "population": 8, "offspring": 3, "generations": 1}
    changes |= {} if method == "haq-ddpg" else {"agent": None}
    result = run(Experiment.load("haq-kmeans", changes), tmp_path / "run", check=False)
    model = result.model
    assert isinstance(model, CodebookImages)
    assert [*result.baselines] == [16, 8, 7, 6, 5, 4, 3, 2, 1]
    limit = 0.3 * model.stored_bits(model.parse_bits("8x16")) / 8 / 2**20
    assert result.front
    for solution in result.front:
        assert {activation for _, activation in solution.bits.values()} == {16}
        assert solution.cost.memory_mib == model.stored_bits(solution.bits) / 8 / 2**20 <= limit
        assert solution.quality is not None
        assert solution.quality.error == model.evaluate(solution.bits).error_max


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": ["error", "latency"]}, r"objectives: 'latency': no platform looks weights up in codebooks"),
        ({"constraints": {"budget": {"energy": 0.5}}}, "constraints.*energy.*: no platform looks weights up"),
        ({"finetune": {}}, "codebooks do not go with finetune"),
        ({"clipping": {"weights": "kmeans", "per_channel": True}}, "a codebook is of a whole matrix"),
    ],
)
def test_what_does_not_go_with_codebooks(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Experiment.load("haq-kmeans", changes)


def test_hardware_without_products_of_16_bits_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it offers .* bits, and the model takes 16"):
        run(Experiment.load("haq-kmeans", {"model": str(trained), "arch": "bit-serial-edge"}), tmp_path / "run")
