"""A convolutional network in Python's whole numbers, window by window: the second way to every result."""

from fractions import Fraction

import numpy as np

from quant.images.image_networks import CLASSIFIER, PIXELS
from quant.images.integer_network import IntegerNetwork
from quant.sites.candidate import Bits

Codes = np.ndarray
"""Of Python's whole numbers, as objects."""


def clipped(value: Fraction, bits: int, unsigned: bool = False) -> int:
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return min(max(round(value), low), high)  # ties to even


def encoded(values: np.ndarray, fraction: int, bits: int, unsigned: bool = False) -> Codes:
    flat = [clipped(Fraction(v) * Fraction(2) ** fraction, bits, unsigned) for v in values.flatten().tolist()]
    return np.array(flat, object).reshape(values.shape)


def written_results(model: IntegerNetwork, picture: np.ndarray, bits: Bits) -> list[int]:
    """Results (classes,) for a picture (H, W)."""
    formats, parameters = model.formats, model.parameters
    maps: dict[str, Codes] = {PIXELS: picture[None]}
    fractions = {PIXELS: 0} | dict(formats.results)

    def products(site: str, windows: list[tuple[int, Codes]], at: int, unsigned: bool) -> list[int]:
        """Results for windows, each of the outputs that it belongs to."""
        w_bits, a_bits = bits[site]
        f = formats.inputs[site][a_bits - 1]
        of_row = model.weights(site, w_bits)[1].tolist()
        rows = parameters.weights[site].flatten(1).numpy()
        weights = [encoded(row, fw, w_bits) for row, fw in zip(rows, of_row, strict=True)]
        biases = parameters.biases[site].tolist()
        results = []
        for output, window in windows:
            x = encoded(window, f - at, a_bits, unsigned)
            sums = f + of_row[output]
            total = int(weights[output] @ x.flatten()) + round(Fraction(biases[output]) * Fraction(2) ** sums)
            results.append(clipped(Fraction(total) * Fraction(2) ** (formats.results[site] - sums), 16))
        return results

    for layer in model.network.layers:
        x, pad, s = maps[layer.source], layer.kernel // 2, layer.stride
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        side, own = (x.shape[1] - 1) // s + 1, layer.inputs // layer.groups
        windows = []
        for o in range(layer.outputs):
            first = o * layer.groups // layer.outputs * own
            for i in range(side):
                for j in range(side):
                    part = padded[first : first + own, s * i : s * i + layer.kernel, s * j : s * j + layer.kernel]
                    windows.append((o, part))
        of_relu = layer.source == PIXELS or next(m.relu for m in model.network.layers if m.name == layer.source)
        y = np.array(products(layer.name, windows, fractions[layer.source], of_relu), object)
        y = y.reshape(layer.outputs, side, side)
        if layer.added is not None:
            by = Fraction(2) ** (fractions[layer.name] - fractions[layer.added])
            pairs = zip(y.flatten(), maps[layer.added].flatten(), strict=True)
            y = np.array([clipped(Fraction(a + round(b * by)), 16) for a, b in pairs], object).reshape(y.shape)
        maps[layer.name] = np.maximum(y, 0) if layer.relu else y
    last = model.network.layers[-1]
    mean = np.array([round(Fraction(int(m.sum()), m.size)) for m in maps[last.name]], object)
    outputs = range(model.network.classes)
    return products(CLASSIFIER, [(o, mean) for o in outputs], fractions[last.name], last.relu)
