"""The phone error rate of one full-size candidate on all of dev: against plain fake quantization in float32 torch, and
against the time of its matrix products alone at the highest rate that this machine was seen to multiply at.

    python benchmarks/candidate_error.py [MODEL …]

Ends with one line of JSON. Ratios are what to quote; times are of the machine that ran it.
"""

import json
import sys
import time
from functools import partial

import torch
from timing import seconds

from quant import Recogniser, homogeneous, load_model
from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.grid import Grid, fixed_point_grid
from quant.networks.sru import SruLayer, by_gate
from quant.networks.sru_recurrence import sru_recurrence_fixed

BITS = (8, 4)


class FakeQuantization(FloatArithmetic):
    """What users of torch do: values rounded to their grids stay float32 numbers, products are float32 products."""

    def __init__(self, model: Recogniser, bits: int):
        self.calibration, self.bits = model.checkpoint.calibration, bits
        self.weights = {}
        for site in model.sites:
            quantized = model.weights(site.name, bits)
            self.weights[site.name] = (quantized.codes * quantized.steps[:, None]).contiguous()

    def product(self, site, x, weight, bias=None):  # type: ignore[no-untyped-def]
        y = torch.nn.functional.linear(fake(x, self.calibration.activations[site][self.bits]), self.weights[site], bias)
        return fake(y, self.calibration.results[site])

    def recurrence(self, layer, x, lengths):  # type: ignore[no-untyped-def]
        assert isinstance(layer, SruLayer)
        u = by_gate(self.product(layer.site, x, layer.weight), layer.directions)
        vectors = fixed_point_grid(float(layer.vectors.abs().max())).round(layer.vectors)
        one = torch.ones(u.shape[2:])
        steps = self.calibration.results[layer.site].step, self.calibration.states[layer.site].step
        return sru_recurrence_fixed(u, one, vectors, lengths, *steps)


def fake(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    return torch.fake_quantize_per_tensor_affine(x, grid.step, 0, grid.lowest, grid.highest)


def peak_multiplications_per_s() -> float:
    """The most multiply-accumulates a second of int8, bfloat16 and float32 products, on large square matrices."""
    best = 0.0
    x = torch.randint(-8, 8, (4096, 1024), dtype=torch.int8)
    w = torch.randint(-8, 8, (1024, 1024), dtype=torch.int8)
    ways = [(x, w, torch._int_mm), (x.bfloat16(), w.bfloat16(), torch.matmul), (x.float(), w.float(), torch.matmul)]
    for a, b, multiply in ways:
        best = max(best, 4096 * 1024 * 1024 / seconds(partial(multiply, a, b), 9))
    return best


def once(model: Recogniser, bits: int) -> float:
    """Seconds of one evaluation that finds nothing kept from another."""
    model.forget()
    started = time.perf_counter()
    model.evaluate(homogeneous(model.sites, bits))
    return time.perf_counter() - started


def fake_once(model: Recogniser, arithmetic: FakeQuantization) -> float:
    started = time.perf_counter()
    posteriors = model.log_posteriors_with(arithmetic, "dev")
    model.error_rate(model.checkpoint.decoder.decode(posteriors), "dev")
    return time.perf_counter() - started


def main() -> None:
    figures = {}
    peak = max(peak_multiplications_per_s() for _ in range(3))  # on a shared machine, the best moment's
    print(f"highest rate of products: {2e-9 * peak:,.0f} GOP/s on {torch.get_num_threads()} threads")
    for name in sys.argv[1:] or ["sru"]:
        model = load_model(name)
        macs = model.utterances("dev").frames * sum(site.weights for site in model.sites)
        for bits in BITS:
            once(model, bits)
            if name == "sru":
                arithmetic = FakeQuantization(model, bits)
                fake_once(model, arithmetic)
                pairs = [(once(model, bits), fake_once(model, arithmetic)) for _ in range(3)]
            else:
                pairs = [(once(model, bits), 0.0) for _ in range(3)]
            ours, theirs = (sorted(times)[1] for times in zip(*pairs, strict=True))
            figures[f"{name}_{bits}"] = {
                "seconds": ours, "fake_quantization_ratio": theirs / ours or None,
                "over_products_at_peak": ours / (macs / peak),
            }  # fmt: skip
            fake = f"fake quantization in float32 takes {theirs / ours:.1f} times that; " if theirs else ""
            print(
                f"{name}, {bits} bits: {ours:.2f} s; {fake}its products alone at the highest rate {macs / peak:.2f} s, "
                f"a ratio of {ours / (macs / peak):.1f}"
            )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
