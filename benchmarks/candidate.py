"""One full evaluation of MOHAQ's SRU, from trace to report: everything new, mappings known, layers known; and 300 time
steps against 3. With --new: products of random sizes, each new, from layer to mapping.

    python benchmarks/candidate.py [--new]

Ends with one line of JSON. On the same matrix products nn_dataflow's solver takes 0.1 s, ZigZag 0.7 s and SCALE-Sim
497 s.
"""

import json
import random
import sys
import time

from timing import seconds

from simulators import Arch, Matmul, Trace, load_arch, load_trace
from simulators.platforms.bitfusion.mapper import forget_mappings, tilings
from simulators.run.report import make_report
from simulators.run.simulation import Simulator


def evaluate(known: Simulator, trace: Trace, arch: Arch) -> int:
    numbers = known.segments(trace.layers)
    charged = [passage.charged for passage in known.cache.run(numbers)]
    return make_report(trace, arch, known.lowered(numbers), charged).cycles


def new_products() -> None:
    """Milliseconds of processor to choose the tilings of a product that was never met."""
    draw, spec = random.Random(5), load_arch("bitfusion").spec
    layers = [
        Matmul(
            name="m", in_features=draw.randint(16, 1500), out_features=draw.randint(16, 1500),
            steps=draw.randint(1, 400), weight_bits=draw.choice((4, 8)), activation_bits=8, output_bits=16,
        )
        for _ in range(220)
    ]  # fmt: skip
    for layer in layers[:20]:
        tilings(layer, None, spec)
    begin = time.process_time()
    for layer in layers[20:]:
        tilings(layer, None, spec)
    new_ms = (time.process_time() - begin) / 200 * 1e3
    print(f"a new product: {new_ms:.2f} ms")
    print(json.dumps({"new_product_ms": new_ms}))


def main() -> None:
    if "--new" in sys.argv[1:]:
        new_products()
        return
    figures: dict[str, float] = {}
    for name in ("bitfusion", "silago"):
        arch = load_arch(name)
        for bits in (16, 8, 4):
            trace = load_trace(f"mohaq-sru-{bits}bit")
            short = trace.at_steps(3)

            def anew(trace: Trace = trace, arch: Arch = arch) -> int:
                forget_mappings()
                return evaluate(Simulator(arch, alone=True), trace, arch)

            known = Simulator(arch, alone=True)

            def run_again(known: Simulator = known, trace: Trace = trace, arch: Arch = arch) -> int:
                known.cache.forget_timings()
                return evaluate(known, trace, arch)

            all_new = seconds(anew, 3)
            mapped = seconds(lambda trace=trace, arch=arch: evaluate(Simulator(arch, alone=True), trace, arch), 10)
            run_again()
            layers_known = seconds(run_again, 20)
            warm = seconds(lambda known=known, trace=trace, arch=arch: evaluate(known, trace, arch), 200)
            three = Simulator(arch, alone=True)
            evaluate(three, short, arch)
            shorter = seconds(lambda: run_again(three, short), 20)  # noqa: B023
            print(
                f"{name:10} {bits:2} bit: all new {all_new * 1e3:7.2f} ms, mappings known {mapped * 1e3:6.2f} ms, "
                f"layers known {layers_known * 1e3:6.3f} ms, layers and neighbours known {warm * 1e3:6.3f} ms; "
                f"300 steps take {layers_known / shorter:5.2f} times what 3 do"
            )
            figures |= {
                f"{name}_{bits}_all_new_ms": all_new * 1e3,
                f"{name}_{bits}_mapped_ms": mapped * 1e3,
                f"{name}_{bits}_layers_known_ms": layers_known * 1e3,
                f"{name}_{bits}_warm_ms": warm * 1e3,
                f"{name}_{bits}_300_to_3_steps": layers_known / shorter,
            }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
