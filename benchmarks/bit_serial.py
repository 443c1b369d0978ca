"""MobileNet-V2 in full size on a bit-serial array: a candidate, 10,000 in a batch, and HAQ's whole latency table by its
closed form.

    python benchmarks/bit_serial.py

Ends with one line of JSON.
"""

import json
import time

import numpy as np
from candidate import evaluate
from timing import seconds

from simulators import Trace, load_arch, load_trace, simulate_batch
from simulators.platforms.bit_serial.validate import compare_table, shipped_table
from simulators.run.simulation import Simulator, forget

CANDIDATES = 10_000


def main() -> None:
    trace, draw = load_trace("mobilenet-v2"), np.random.default_rng(1)
    figures = {"published_table_s": seconds(lambda: compare_table(shipped_table()), 3)}
    print(f"the published table, 3,392 entries: {figures['published_table_s']:.2f} s")
    for name in ("bit-serial-cloud", "bit-serial-ultra96", "bit-serial-edge"):
        arch = load_arch(name)
        pairs = np.array(arch.precisions)

        def candidates(count: int, pairs: np.ndarray = pairs) -> np.ndarray:
            return pairs[draw.integers(0, len(pairs), (count, len(trace.products)))]

        networks = [_at(trace, bits) for bits in candidates(12)]
        known = Simulator(arch, alone=True)
        evaluate(known, networks[0], arch)
        new = iter(networks)
        new_s = seconds(lambda arch=arch, new=new: evaluate(Simulator(arch, alone=True), next(new), arch), 8)
        known_s = seconds(lambda arch=arch, known=known, of=networks[0]: evaluate(known, of, arch), 50)
        forget()
        batches = []
        for bits in (candidates(CANDIDATES), candidates(CANDIDATES)):
            began = time.perf_counter()
            simulate_batch(trace, arch, bits)
            batches.append(time.perf_counter() - began)
        print(
            f"{name:20} new {new_s * 1e3:6.2f} ms, known {known_s * 1e3:6.3f} ms; {CANDIDATES:,} in a batch: "
            f"all layers new {batches[0]:5.2f} s, known {batches[1]:6.3f} s"
        )
        figures |= {
            f"{name}_new_ms": new_s * 1e3,
            f"{name}_known_ms": known_s * 1e3,
            f"{name}_first_batch_s": batches[0],
            f"{name}_batch_s": batches[1],
        }
    print(json.dumps(figures))


def _at(trace: Trace, bits: np.ndarray) -> Trace:
    """The network at one candidate's widths."""
    widths = zip(*(of[0].tolist() for of in trace.widths(bits[None])), strict=True)
    layers = tuple(layer.at_bits(*of) for layer, of in zip(trace.layers, widths, strict=True))
    return trace.model_copy(update={"layers": layers})


if __name__ == "__main__":
    main()
