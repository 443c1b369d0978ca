"""A convolutional network in whole numbers: operands of a site's product have the candidate's widths.

Every format is a code times a power of two, so that requantization is a shift. Weights are signed, with a shift for
each output channel; activations are unsigned where nothing negative can come, signed elsewhere. Results, and their sums
with shortcuts, are signed codes of 16 bits; a shift rounds to the nearest, ties to even, and saturates.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from quant.images.float_network import FloatSteps, Parameters, passed
from quant.images.image_networks import CLASSIFIER, PIXELS, ConvLayer, ImageNetwork
from quant.sites.candidate import Bits

WIDTHS = tuple(range(1, 17))
"""Widths that there are, of weights and of activations."""
RESULT_BITS = 16
CLIPPED_OCTAVES = 6
"""How often a range may be halved below the largest value, where that errs less."""
MOST_VALUES = 1 << 17
"""Values of a site that its formats are chosen by; of more, as many at even distances, and the largest."""
_EXACT = 1 << 24
"""Whole numbers below are exact in float32; in float64, which takes the others, they are below 2^53: products of 16
bits by 16, of which a sum has less than 2^21."""


@dataclass(frozen=True)
class ImageFormats:
    """Fractional bits of what passes, from pictures that were seen."""

    inputs: Mapping[str, Sequence[int]]
    """What the product of each site reads has these many: a number for each of `WIDTHS`."""
    results: Mapping[str, int]
    """The results of each site, in 16 bits, have so many."""


def formats_of(network: ImageNetwork, parameters: Parameters, seen: torch.Tensor) -> ImageFormats:
    """The formats of least squared error on pictures (N, 1, H, W); results are those that hold all of them."""
    inputs: dict[str, list[int]] = {}
    results: dict[str, int] = {}

    def see(site: str, x: torch.Tensor, y: torch.Tensor) -> None:
        values, unsigned = _sampled(x), network.is_unsigned(site)
        inputs[site] = [int(least_error(values[None], bits, unsigned)[0]) for bits in WIDTHS]
        results[site] = int(_holding(y.flatten()[None], RESULT_BITS, False)[0])

    passed(network, seen, FloatSteps(parameters, see))
    return ImageFormats(inputs, results)


def limits(bits: int, unsigned: bool) -> tuple[int, int]:
    """The least and the largest code of a width."""
    return (0, (1 << bits) - 1) if unsigned else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def codes_of(x: torch.Tensor, fraction: torch.Tensor | int, bits: int, unsigned: bool = False) -> torch.Tensor:
    """The nearest codes, ties to even, saturated, as whole numbers in the type of x."""
    return scaled(x, fraction).round_().clamp_(*limits(bits, unsigned))


def scaled(x: torch.Tensor, by: torch.Tensor | int) -> torch.Tensor:
    """x times a power of two, or one for each that there is of `by`, which is exact: torch's own takes a power of 2.0,
    which need not be."""
    if isinstance(by, int):
        return x * math.ldexp(1.0, by)
    powers = [math.ldexp(1.0, each) for each in by.flatten().tolist()]
    return x * torch.tensor(powers, dtype=x.dtype).view(by.shape)


def least_error(rows: torch.Tensor, bits: int, unsigned: bool) -> torch.Tensor:
    """Fractional bits (R,) of each row (R, K): of the format that just holds it, the next coarser one, whose largest
    code may be nearer to the largest value, and finer ones that clip: that of least squared error, the coarsest of
    equals."""
    exact = rows.double()
    first = _holding(rows, bits, unsigned)
    errors = []
    for octaves in range(-1, CLIPPED_OCTAVES + 1):
        fraction = (first + octaves)[:, None]
        held = scaled(codes_of(exact, fraction, bits, unsigned), -fraction)
        errors.append((held - exact).square_().sum(1))
    return first - 1 + torch.stack(errors).argmin(0)


def _holding(rows: torch.Tensor, bits: int, unsigned: bool) -> torch.Tensor:
    """Fractional bits (R,) at which a power of two above each row's largest magnitude is the first that is not held."""
    exponent = torch.frexp(rows.abs().amax(1)).exponent.clamp(-14, 30).long()  # largest < 2^exponent
    return bits - (0 if unsigned else 1) - exponent


def _sampled(x: torch.Tensor) -> torch.Tensor:
    x = x.flatten()
    if len(x) <= MOST_VALUES:
        return x
    return torch.cat((x[:: -(-len(x) // MOST_VALUES)], x.abs().max()[None]))


class IntegerNetwork:
    """A network that computes candidates; codes of weights are made once and kept, for each site and width."""

    def __init__(self, network: ImageNetwork, parameters: Parameters, formats: ImageFormats):
        self.network = network
        self.parameters = parameters
        self.formats = formats
        self._weights: dict[tuple[str, int], tuple[torch.Tensor, torch.Tensor]] = {}

    def run(self, pixels: torch.Tensor, bits: Bits) -> torch.Tensor:
        """Results (N, classes) for pictures (N, 1, H, W), as codes of 16 bits."""
        return passed(self.network, pixels, _IntegerSteps(self, bits))

    def weights(self, site: str, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes of a site's weights, in their shape, and the fractional bits (outputs,) of each row."""
        if (site, bits) not in self._weights:
            self._weights[site, bits] = self._quantized(site, bits)
        return self._weights[site, bits]

    def _quantized(self, site: str, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
        weight = self.parameters.weights[site]
        fractions = least_error(weight.flatten(1), bits, unsigned=False)
        return codes_of(weight.flatten(1), fractions[:, None], bits).view_as(weight), fractions


class _IntegerSteps:
    """Maps between layers are 16-bit codes, with the fractional bits of the layer that left them."""

    def __init__(self, of: IntegerNetwork, bits: Bits):
        self._of = of
        self._bits = bits

    def convolution(self, layer: ConvLayer, x: torch.Tensor, added: torch.Tensor | None) -> torch.Tensor:
        """See `Steps`."""
        results = self._of.formats.results
        at = None if layer.source == PIXELS else results[layer.source]
        y = self._product(layer.name, x, at, layer)
        if layer.added is not None and added is not None:
            shift = results[layer.name] - results[layer.added]
            y = (y + scaled(added, shift).round_()).clamp_(*limits(RESULT_BITS, False))
        return y.relu_() if layer.relu else y

    def classifier(self, x: torch.Tensor) -> torch.Tensor:
        """See `Steps`. The mean of 16-bit codes is one."""
        mean = (x.double().sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3])).round_().float()
        at = self._of.formats.results[self._of.network.layers[-1].name]
        return self._product(CLASSIFIER, mean, at, None).flatten(1)

    def _product(self, site: str, x: torch.Tensor, at: int | None, layer: ConvLayer | None) -> torch.Tensor:
        """16-bit results of maps (N, C, H, W) that have `at` fractional bits, or are no codes yet."""
        w_bits, a_bits = self._bits[site]
        of, unsigned = self._of, self._of.network.is_unsigned(site)
        fraction = of.formats.inputs[site][a_bits - 1]
        codes = codes_of(x, fraction - (at or 0), a_bits, unsigned)
        weights, fractions = of.weights(site, w_bits)
        at_sums = (fractions + fraction)[:, None, None]
        bias = scaled(of.parameters.biases[site].double(), fractions + fraction).round_()[:, None, None]
        largest = max(map(abs, limits(a_bits, unsigned)))
        most = (weights.flatten(1).double().abs().sum(1) * largest + bias.flatten().abs()).max()
        kind = torch.float32 if most < _EXACT else torch.float64
        kernels = weights.to(kind).view(*weights.shape[:2], *weights.shape[2:] or (1, 1))
        stride, depthwise = (1, False) if layer is None else (layer.stride, layer.groups > 1)
        sums = convolved(codes.to(kind), kernels, stride, depthwise)
        return codes_of(sums.add_(bias.to(kind)), of.formats.results[site] - at_sums, RESULT_BITS).float()


def convolved(x: torch.Tensor, kernels: torch.Tensor, stride: int, depthwise: bool) -> torch.Tensor:
    """The convolution of maps (N, C, H, W) with kernels (O, C or 1, k, k), padded by half of k. A sum over the places
    of a kernel: no transformation, as fast convolutions have, comes between whole numbers and their exact sums."""
    side = kernels.shape[-1]
    padded = torch.nn.functional.pad(x, (side // 2,) * 4)
    rows, columns = ((size - 1) // stride + 1 for size in x.shape[2:])
    sums = torch.zeros(len(x), len(kernels), rows, columns, dtype=x.dtype)
    for i in range(side):
        for j in range(side):
            part = padded[:, :, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride]
            if depthwise:
                sums.addcmul_(part, kernels[:, 0, i, j][:, None, None])
            else:
                sums += (kernels[:, :, i, j] @ part.flatten(2)).view_as(sums)
    return sums
