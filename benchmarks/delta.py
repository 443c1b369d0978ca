"""EdgeDRNN: 1,000 steps of two layers of 768 neurons with given masks, from the trace to the report, and the same slot
by slot on the machine model; the shipped GRU's error with thresholds against without, and candidates of thresholds on
known masks of one utterance, there and on Bit Fusion and SiLago that skip.

    python benchmarks/delta.py

Ends with one line of JSON. Times are of the machine that ran it.
"""

import json
import time

import numpy as np
from timing import seconds

from quant import Bits, load_model
from simulators import Arch, Elementwise, Matmul, Trace, load_arch, simulate_batch
from simulators.engine import fast
from simulators.platforms.edgedrnn.cycle_law import DeltaMasks, step_cycles
from simulators.platforms.edgedrnn.machine import MACHINE
from simulators.platforms.edgedrnn.network import DeltaTiming, layer_sizes
from simulators.platforms.edgedrnn.step_tasks import step_program
from simulators.run.simulation import Simulator
from simulators.workloads.masks import masks_of

STEPS, INPUTS, NEURONS, SENT = 1000, 40, 768, 0.1
DETAILED_STEPS = 20


def drawn(elements: int, chance: np.random.Generator) -> np.ndarray:
    """Masks (steps, elements) of random elements."""
    return (chance.random((STEPS, elements)) < SENT).astype(np.uint8)


def delta_trace(inputs: list[np.ndarray], states: list[np.ndarray]) -> Trace:
    """The network with these masks."""
    layers: list[Matmul | Elementwise] = []
    bits = {"steps": STEPS, "weight_bits": 8, "activation_bits": 16, "output_bits": 16}
    for number, (x, h) in enumerate(zip(inputs, states, strict=True)):
        of = {"out_features": 3 * NEURONS, **bits}
        layers.append(Matmul(name=f"W{number}", in_features=x.shape[1], active=tuple(masks_of(x)), **of))
        layers.append(Matmul(name=f"U{number}", in_features=NEURONS, active=tuple(masks_of(h)), recurrent=True, **of))
        ops = {"add": 5 * NEURONS, "multiply": 3 * NEURONS, "sigmoid": 2 * NEURONS, "tanh": NEURONS}
        layers.append(Elementwise(name=f"E{number}", ops=ops, inputs=6 * NEURONS, outputs=NEURONS, recurrent=True,
                                  steps=STEPS))  # fmt: skip
    return Trace(name="delta-gru", steps=STEPS, layers=tuple(layers))


def thresholds_of_the_shipped_gru() -> dict[str, float]:
    """Times of an evaluation with a threshold at each site over that without, in turns, and of simulating a candidate's
    masks of one utterance."""
    model, arch = load_model("gru", every=8), load_arch("edgedrnn")
    plain, held = (model.parse_bits(text) for text in ("8x16", "8x16@16"))

    def evaluated(bits: Bits) -> float:
        model.forget()  # what evaluations share would be found again
        started = time.perf_counter()
        model.evaluate_population([bits])
        return time.perf_counter() - started

    times = [(evaluated(plain), evaluated(held)) for _ in range(6)]

    def simulated(arch: Arch, widths: str) -> float:
        candidates = [model.parse_bits(f"{widths}@{threshold}") for threshold in range(1, 21)]
        traces = [model.trace_utterance(bits, utterance=3) for bits in candidates]
        simulate_batch(traces[:1], arch)
        started = time.perf_counter()
        simulate_batch(traces[1:], arch)
        return (time.perf_counter() - started) / (len(traces) - 1)

    skips = ["skips_inactive_inputs=true"]
    return {
        "error_with_thresholds_over_without": min(with_ for _, with_ in times) / min(without for without, _ in times),
        "thousand_candidates_on_known_masks_s": 1000 * simulated(arch, "8x16"),
        "thousand_on_bitfusion_s": 1000 * simulated(load_arch("bitfusion", skips), "8x8"),
        "thousand_on_silago_s": 1000 * simulated(load_arch("silago", skips), "8x8"),
    }


def main() -> None:
    """Time all of it, and print."""
    chance = np.random.default_rng(1)
    inputs, states = [drawn(INPUTS, chance), drawn(NEURONS, chance)], [drawn(NEURONS, chance) for _ in range(2)]
    trace = delta_trace(inputs, states)
    arch = load_arch("edgedrnn", ["memory.latency_cycles=0"])
    report = Simulator(arch, alone=True).report(trace)
    bias = np.zeros(STEPS, np.uint8)
    bias[0] = 1
    masks = [DeltaMasks(bias, x, h) for x, h in zip(inputs, states, strict=True)]
    sizes, timing = layer_sizes(INPUTS, [NEURONS, NEURONS]), DeltaTiming()
    cycles = step_cycles(masks, sizes, timing)
    assert report.cycles == cycles.sum()
    few = [DeltaMasks(m.bias[:DETAILED_STEPS], m.inputs[:DETAILED_STEPS], m.states[:DETAILED_STEPS]) for m in masks]
    program, _ = step_program(few, sizes, timing)
    step_ms = report.cycles / STEPS / arch.frequency_mhz / 1000
    macs = sum(size.blocks * size.hidden * (size.inputs + size.hidden) for size in sizes)
    figures = {
        "trace_to_report_ms": 1000 * seconds(lambda: Simulator(arch, alone=True).report(trace), 7),
        "law_ms": 1000 * seconds(lambda: step_cycles(masks, sizes, timing), 7),
        "slot_by_slot_ms_a_step": 1000 * seconds(lambda: fast.run_tasks(MACHINE, program), 5) / DETAILED_STEPS,
        "step_ms_at_125_mhz": step_ms,
        "effective_gops": 2 * macs / step_ms / 1e6,
        **thresholds_of_the_shipped_gru(),
    }
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
