"""A training step of each shipped geometry against its products alone at the processor's peak.

    python benchmarks/training.py [CELL …]

The step is forward, backward and update on a batch of 4,096 made-up frames, products in each type of operands that is
not hopeless here; its products are three for each weight matrix and frame. The peak is that of the faster type,
measured on a large product on the same threads. Ends with one line of JSON.
"""

import json
import sys

import torch
from timing import seconds
from torch.nn import functional

from quant.arithmetic.glibc_memory import keep_freed_memory
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.training.loop import TrainingArithmetic
from quant.training.product_types import PRODUCT_TYPES, Products, fastest_products, products_per_second

FRAMES, UTTERANCES = 320, 13
HOPELESS = 4
"""A type so many times as slow as the other is not measured in whole steps."""
GEOMETRIES: dict[str, dict[str, int]] = {"sru": {}} | {
    cell: {"layers": 3, "cells": 256} for cell in ("lstm", "gru", "ligru")
}


def step_seconds(cell: str, products: Products) -> tuple[float, int]:
    """Seconds of one step, and the multiply-accumulates of its products."""
    network = Network(geometry(cell, GEOMETRIES[cell]))
    network.initialise(torch.Generator().manual_seed(0))
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    x, y = torch.randn(FRAMES, UTTERANCES, network.geometry.inputs), torch.randint(117, (FRAMES * UTTERANCES,))
    lengths = torch.full((UTTERANCES,), FRAMES)

    def step() -> None:
        optimiser.zero_grad()
        logits = network(x, lengths, TrainingArithmetic(products))
        functional.cross_entropy(logits.flatten(0, 1), y).backward()
        optimiser.step()

    weights = sum(site.weights for site in network.sites)
    return seconds(step, 3), 3 * weights * FRAMES * UTTERANCES


def main() -> None:
    keep_freed_memory()
    peaks = products_per_second()
    figures: dict[str, object] = {
        "threads": torch.get_num_threads(), "chosen": fastest_products(),
        **{f"peak_{name}_gflop_per_s": 2e-9 * speed for name, speed in peaks.items()},
    }  # fmt: skip
    for cell in sys.argv[1:] or GEOMETRIES:
        for products in PRODUCT_TYPES:
            if peaks[products] < max(peaks.values()) / HOPELESS:
                continue
            taken, macs = step_seconds(cell, products)
            ideal = macs / max(peaks.values())
            figures[f"{cell}_{products}_s"] = taken
            figures[f"{cell}_{products}_over_products"] = taken / ideal
            print(f"{cell}, {products}: {taken:.2f} s a step, {taken / ideal:.2f} times its products at the peak")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
