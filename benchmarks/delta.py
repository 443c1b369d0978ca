"""EdgeDRNN: 1,000 steps of two layers of 768 neurons with given masks, from the trace to the report, and the same slot
by slot on the machine model.

    python benchmarks/delta.py

Ends with one line of JSON. Times are of the machine that ran it.
"""

import json

import numpy as np
from timing import seconds

from simulators import Elementwise, Matmul, Trace, load_arch
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
    }
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
