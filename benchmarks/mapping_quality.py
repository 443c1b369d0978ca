"""How far the mappings that the simulator chooses for Bit Fusion are from the best that there are.

    python benchmarks/mapping_quality.py [--seed 0] [--layers 200] [--chains 60]

Small random layers on random hardware: all tilings in both loop orders against the simulator's choice. Sizes of tiles
are all that make different numbers of tiles, balanced or full, and all multiples of the array's sides; tilings whose
lower bound is above what wins are not simulated. Chains of three to five products: all combinations of the best few
tilings of each layer, in place. Energy is held against the least of what is no slower, or within 1 % of the fastest.
Ends with one line of JSON: ratios of cycles and of energy.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from statistics import median
from typing import Any

import numpy as np
from every_tiling import Cost, Exact, every_cost

from simulators import Arch, Conv2d, Elementwise, InputError, Matmul, Trace, load_arch, simulate
from simulators.platforms.bitfusion.spec import BitFusionSpec

Draw = np.random.Generator

NEARLY = 1.01
"""Tilings up to so much of the fewest cycles are chosen from by energy."""
COMBINATIONS = 1500
"""Combinations of tilings that are tried for a chain, about."""
CANDIDATES = 1.05
"""Tilings of a chain's layer are those up to so much of its fewest cycles by itself."""


@dataclass(frozen=True)
class Ratios:
    """What the simulator's choice takes over the best."""

    cycles: float
    energy: float
    name: str
    """Which network and hardware."""


def ratios(name: str, chosen: Cost, costs: Sequence[Cost]) -> Ratios:
    """A choice against the best: the fewest cycles, and the least energy of what is no slower, or nearly as fast as the
    fastest."""
    every = [*costs, chosen]
    fewest = min(cycles for cycles, _ in every)
    least = min(energy for cycles, energy in every if cycles <= max(chosen[0], fewest * NEARLY))
    return Ratios(chosen[0] / fewest, chosen[1] / least, name)


def of_layer(trace: Trace, arch: Arch) -> Ratios:
    """A product, with the elementwise layer behind it if any."""
    report = simulate(trace, arch)
    chosen = report.cycles, report.energy_uj
    found = every_cost(Exact(arch), trace.layers, lambda fewest: max(chosen[0], fewest * NEARLY))
    return ratios(described(trace, arch), chosen, [cost for cost, _ in found])


def of_chain(trace: Trace, arch: Arch) -> Ratios:
    """Products that follow each other."""
    exact, report = Exact(arch), simulate(trace, arch)
    few = max(2, int(COMBINATIONS ** (1 / len(trace.layers))))
    alone = [every_cost(exact, (layer,), lambda fewest: fewest * CANDIDATES) for layer in trace.layers]
    best = [[number for _, number in costs[:few]] for costs in alone]
    costs = [exact.cost(numbers) for numbers in product(*best)]
    return ratios(described(trace, arch), (report.cycles, report.energy_uj), costs)


def described(trace: Trace, arch: Arch) -> str:
    """A network and its hardware in a line."""
    spec = arch.spec
    assert isinstance(spec, BitFusionSpec)
    gemms = [layer.as_gemm() for layer in trace.layers]
    shapes = [f"{gemm.m}x{gemm.k}x{gemm.n}" if gemm else "elementwise" for gemm in gemms]
    pairs = "x".join(map(str, trace.layers[0].operand_bits))
    b = spec.buffers
    kinds = "recurrent " if trace.layers[0].waits_for_itself else ""
    return (
        f"{kinds}{' '.join(shapes)} at {pairs} bits, {spec.array.rows}x{spec.array.columns}, "
        f"{b.input_kib:g}/{b.weight_kib:g}/{b.output_kib:g} KiB, {spec.dram.bits_per_cycle} bits a cycle"
    )


def whole(draw: Draw, low: int, high: int) -> int:
    """A whole number from low to high, small ones as likely as large ones."""
    return int(np.exp(draw.uniform(np.log(low), np.log(high + 1))))


def hardware(draw: Draw) -> Arch:
    """A small Bit Fusion."""
    changes: dict[str, Any] = {
        "array.rows": whole(draw, 2, 16),
        "array.columns": whole(draw, 4, 32),
        "buffers.input_kib": whole(draw, 1, 32) / 4,
        "buffers.weight_kib": whole(draw, 2, 64) / 4,
        "buffers.output_kib": whole(draw, 1, 32) / 4,
        "dram.bits_per_cycle": whole(draw, 8, 512),
    }
    return load_arch("bitfusion", [f"{key}={value}" for key, value in changes.items()])


def small_layer(draw: Draw) -> Trace:
    """A product, one with elementwise work behind it, a recurrent one or a convolution."""
    pair = ((2, 2), (4, 4), (4, 8), (8, 8), (16, 16))[int(draw.integers(5))]
    bits = {"weight_bits": pair[0], "activation_bits": pair[1], "output_bits": 8}
    kind, steps = draw.random(), whole(draw, 1, 64)
    if kind < 0.15:
        side, kernel = whole(draw, 4, 12), (1, 3)[int(draw.integers(2))]
        convolution = Conv2d(
            name="m", in_channels=whole(draw, 1, 16), out_channels=whole(draw, 1, 32), kernel=(kernel, kernel),
            input_size=(side, side), steps=1, **bits,
        )  # fmt: skip
        return Trace(name="small", steps=1, layers=(convolution,))
    outputs = whole(draw, 4, 96)
    layer = Matmul(
        name="m", out_features=outputs, in_features=whole(draw, 4, 192), steps=steps, recurrent=kind > 0.85, **bits
    )
    if kind > 0.4:
        return Trace(name="small", steps=steps, layers=(layer,))
    ops = {"add": outputs, "sigmoid": outputs}
    behind = Elementwise(name="e", ops=ops, inputs=outputs, outputs=outputs, steps=steps)
    return Trace(name="small", steps=steps, layers=(layer, behind))


def chain(draw: Draw) -> Trace:
    """Three to five products, each on the results of the one before."""
    steps, width = whole(draw, 1, 32), (4, 8, 16)[int(draw.integers(3))]
    features = [whole(draw, 8, 192) for _ in range(int(draw.integers(4, 7)))]
    layers = tuple(
        Matmul(
            name=f"m{i}", in_features=inputs, out_features=outputs, steps=steps, weight_bits=width,
            activation_bits=8, output_bits=8,
        )
        for i, (inputs, outputs) in enumerate(pairwise(features))
    )  # fmt: skip
    return Trace(name="chain", steps=steps, layers=layers)


def measured(kind: str, count: int, seed: int) -> list[Ratios]:
    """So many random layers or chains that fit their hardware."""
    draw_trace, measure = {"layers": (small_layer, of_layer), "chains": (chain, of_chain)}[kind]
    found: list[Ratios] = []
    began, number = time.perf_counter(), 0
    while len(found) < count:
        draw = np.random.default_rng([seed, ("layers", "chains").index(kind), number])
        number += 1
        trace, arch = draw_trace(draw), hardware(draw)
        try:
            simulate(trace, arch)
        except InputError:
            continue
        found.append(measure(trace, arch))
        if not len(found) % 20:
            print(f"{len(found)} of {count} {kind}, {time.perf_counter() - began:.0f} s", flush=True)
    return found


def figures(found: Sequence[Ratios]) -> dict[str, float]:
    """Median, 95th percentile and worst ratio of cycles and of energy."""
    result: dict[str, float] = {"count": len(found)}
    for what in ("cycles", "energy"):
        values = sorted(getattr(one, what) for one in found)
        result |= {
            f"{what}_median": median(values),
            f"{what}_95_percent": values[int(0.95 * (len(values) - 1))],
            f"{what}_worst": values[-1],
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Chosen mappings against exhaustive search.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", type=int, default=200)
    parser.add_argument("--chains", type=int, default=60)
    options = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    for kind in ("layers", "chains"):
        count = getattr(options, kind)
        if not count:
            continue
        found = measured(kind, count, options.seed)
        for what in ("cycles", "energy"):
            print(f"worst {what} of {kind}:")
            for one in sorted(found, key=lambda one: -getattr(one, what))[:5]:
                print(f"  {one.cycles:.3f} of the cycles, {one.energy:.3f} of the energy: {one.name}")
        result[kind] = figures(found)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
