"""Codebooks: Lloyd's algorithm against optimal clusters of one dimension, against linear grids, and sizes by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_recognisers import in_whole_numbers, noise, small_recogniser

from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.kmeans import SortedValues, clustered, codebook_weights, linear_levels, lloyd
from quant.arithmetic.weights import QuantizedWeights
from quant.exports.integer_program import integer_program
from quant.files.export import export
from quant.sites.codebook import codebook_bits, looked_up, parse_codebooks
from quant.speech.batches import pack
from simulators.inputs.errors import InputError


def optimal(values: np.ndarray, clusters: int) -> float:
    """Least squared error of so many clusters of rising values: dynamic programming over where the last one begins
    (Wang and Song 2011)."""

    def error(first: int, end: int) -> float:
        part = values[first:end]
        return float(((part - part.mean()) ** 2).sum()) if end > first else 0.0

    best = [error(0, end) for end in range(len(values) + 1)]
    for _ in range(clusters - 1):
        best = [min(best[first] + error(first, end) for first in range(end + 1)) for end in range(len(values) + 1)]
    return best[-1]


def squared(weight: torch.Tensor, held: np.ndarray) -> float:
    return float(((weight.double().numpy() - held) ** 2).sum())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_between_the_optimum_and_the_linear_grid(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    weight = torch.from_numpy((rng.laplace(size=(4, 9)) if seed % 2 else rng.normal(size=(4, 9))).astype(np.float32))
    error = squared(weight, clustered(weight, bits))
    least = optimal(np.sort(weight.double().numpy().ravel()), 1 << bits)
    levels = linear_levels(weight, bits)
    linear = float(np.square(weight.double().numpy()[..., None] - levels).min(-1).sum())
    assert least * (1 - 1e-9) <= error <= linear
    if bits == 2:
        grid = quantize_weights(weight, bits, Scheme())
        assert error <= squared(weight, (grid.codes * grid.steps[:, None]).double().numpy())


def test_every_centroid_is_the_mean_of_its_own() -> None:
    values = np.random.default_rng(1).normal(size=500).round(1)  # many are alike
    points = SortedValues.of(values)
    found = lloyd(points, np.linspace(-9.0, 9.0, 16))  # most begin without a value
    assert len(np.unique(found)) == 16
    nearest = np.abs(values[:, None] - found).argmin(1)
    np.testing.assert_allclose([values[nearest == i].mean() for i in range(16)], found, atol=1e-12)
    assert points.distortion(found) == pytest.approx(float(((values - found[nearest]) ** 2).sum()))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_codes_are_few_centroids_of_16_bits_and_repeat(bits: int) -> None:
    weight = torch.randn(40, 50, generator=torch.Generator().manual_seed(4))
    held, again = codebook_weights(weight, bits), codebook_weights(weight.clone(), bits)
    assert torch.equal(held.codes, again.codes)
    assert torch.equal(held.steps, again.steps)
    assert held.bits == 16
    assert len(held.steps.unique()) == 1
    assert bits == 16 or len(held.codes.unique()) == 1 << bits
    assert float(held.codes.abs().max()) < 1 << 15


@pytest.mark.parametrize(("bits", "distortion"), [(1, 0.3634), (2, 0.1175), (3, 0.03454), (4, 0.009497), (5, 0.002499)])
def test_normal_values_come_near_the_published_optimum(bits: int, distortion: float) -> None:
    """Mean squared errors of optimal quantizers of the normal distribution: Max 1960, table I."""
    weight = torch.randn(200, 200, generator=torch.Generator().manual_seed(4))
    held = codebook_weights(weight, bits)
    error = squared(weight, (held.codes * held.steps[:, None]).double().numpy()) / weight.numel()
    assert error == pytest.approx(distortion, rel=0.03)


def test_what_has_few_values_is_held_exactly_and_what_is_no_number_refused() -> None:
    weight = torch.tensor([[0.5, -0.25, 0.5], [0.0, -0.25, 0.5]])
    held = codebook_weights(weight, 2)
    assert torch.equal(held.codes * held.steps[:, None], weight)
    assert not codebook_weights(torch.zeros(2, 3), 1).codes.any()
    with pytest.raises(InputError, match="not finite"):
        codebook_weights(torch.tensor([[1.0, float("nan")]]), 2)


def test_sizes_by_hand() -> None:
    assert codebook_bits(1000, 3) == 1000 * 3 + 8 * 16
    assert codebook_bits(144, 8) == 144 * 8 + 144 * 16  # no more centroids than weights
    assert codebook_bits(1000, 16) == 16000


@pytest.mark.parametrize("cell", ["sru", "gru"])
def test_the_fast_path_computes_what_whole_numbers_do(cell: str) -> None:
    checkpoint = small_recogniser(cell)
    network = checkpoint.network
    widths = [(1 + i % 8, 16) for i in range(len(network.sites))]
    bits = {site.name: pair for site, pair in zip(network.sites, widths, strict=True)} | {"FC": (16, 16)}
    weights = QuantizedWeights(network, Scheme("kmeans"))
    batch = pack([noise()], None, [0])
    arithmetic = QuantizedArithmetic(bits, weights, checkpoint.calibration)
    fast = network(batch.features, batch.lengths, arithmetic)[:, 0] / checkpoint.calibration.results["FC"].step
    exact = in_whole_numbers(checkpoint, weights, bits, noise())
    assert np.abs(fast.detach().numpy() - exact).max() <= 16  # of 2^15: gates differ by a unit, and states pass it on


def test_what_has_no_codebooks_says_so(tmp_path: Path) -> None:
    checkpoint = small_recogniser("gru")
    sites, scheme = checkpoint.network.sites, Scheme("kmeans")
    bits = parse_codebooks("3x16,FC=16", sites)
    assert bits["FC"] == (16, 16)
    assert {*looked_up(bits).values()} == {(16, 16)}
    for text, message in (
        ("4", "k-means is of weights alone"),
        ("9x16", "it must be one of 1, 2"),
        ("4x16@8", "sends everything"),
    ):
        with pytest.raises(InputError, match=message):
            parse_codebooks(text, sites)
    weights = QuantizedWeights(checkpoint.network, scheme)
    with pytest.raises(InputError, match="no format of exports"):
        integer_program(checkpoint, weights, bits)
    with pytest.raises(InputError, match="an exported model has none"):
        export(checkpoint, weights, bits, tmp_path)
    with pytest.raises(InputError, match="codebooks are those of"):
        quantize_weights(torch.ones(2, 2), 4, scheme)
    for wrong in ({"per_channel": True}, {"activations": "max"}):
        with pytest.raises(InputError, match="a codebook is of a whole matrix"):
            Scheme("kmeans", **wrong)  # type: ignore[arg-type]
