"""10,000 random mixed-precision candidates of MOHAQ's SRU in one batch, with all layers known and with none.

    python benchmarks/batch.py

Ends with one line of JSON.
"""

import json
import time

import numpy as np
from timing import seconds

from simulators import Elementwise, load_arch, load_trace, simulate, simulate_batch
from simulators.platforms.bitfusion.mapper import forget_mappings
from simulators.run.simulation import forget

CANDIDATES = 10_000


def main() -> None:
    trace = load_trace("mohaq-sru-8bit")
    products = sum(not isinstance(layer, Elementwise) for layer in trace.layers)
    figures: dict[str, float] = {}
    for name in ("bitfusion", "silago"):
        arch = load_arch(name)
        pairs = np.array(arch.precisions)
        draw = np.random.default_rng(1).integers
        simulate_batch(trace, arch, pairs[draw(0, len(pairs), (1, products))])  # compiles
        forget()
        forget_mappings()
        bits = pairs[draw(0, len(pairs), (CANDIDATES, products))]
        began = time.perf_counter()
        simulate_batch(trace, arch, bits)
        first = time.perf_counter() - began
        again = pairs[draw(0, len(pairs), (CANDIDATES, products))]
        began = time.perf_counter()
        simulate_batch(trace, arch, again)
        others = time.perf_counter() - began
        ten = seconds(lambda arch=arch, again=again: simulate_batch(trace, arch, again[:10]), 20)
        one = seconds(lambda arch=arch: simulate(trace, arch), 100)
        print(
            f"{name:10} {CANDIDATES} candidates: first {first:6.2f} s, {CANDIDATES} others {others:6.3f} s "
            f"({others / CANDIDATES * 1e6:.1f} µs each; in tens {ten / 10 * 1e6:.1f}, one by one {one * 1e6:.1f})"
        )
        figures |= {
            f"{name}_first_s": first,
            f"{name}_others_s": others,
            f"{name}_us_each": others / CANDIDATES * 1e6,
            f"{name}_us_each_in_tens": ten / 10 * 1e6,
            f"{name}_us_one_by_one": one * 1e6,
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
