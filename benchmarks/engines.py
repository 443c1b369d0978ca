"""The Numba engine against the SimPy reference on one program: time a task, and with what repeats left out.

    python benchmarks/engines.py

Ends with one line of JSON. Ratios are what to quote; times are of the machine that ran it.
"""

import json

from timing import seconds

from simulators import engine, load_arch, load_trace, reference, simulate
from simulators.bitfusion import lower
from simulators.machine import unroll

TRACE, ARCH = "mohaq-sru-8bit", "bitfusion"


def main() -> None:
    trace, arch = load_trace(TRACE), load_arch(ARCH)
    lowered = lower(trace, arch.spec)
    tasks = len(unroll(lowered.program))
    layers = len(lowered.layers)
    slow = seconds(lambda: reference.run(lowered.machine, lowered.program, layers), 3)
    every_task = seconds(lambda: engine.run_tasks(lowered.machine, lowered.program), 20)
    forwarded = seconds(lambda: engine.run(lowered.machine, lowered.program, layers), 20)
    whole = seconds(lambda: simulate(trace, arch), 10)
    assert (
        engine.run(lowered.machine, lowered.program, layers).cycles
        == reference.run(lowered.machine, lowered.program, layers).cycles
    )
    print(f"{TRACE} on {ARCH}: {tasks} tasks")
    print(f"SimPy reference            {slow / tasks * 1e6:8.2f} µs a task")
    print(
        f"Numba, every task          {every_task / tasks * 1e6:8.4f} µs a task   {slow / every_task:6.0f} times as fast"
    )
    print(f"Numba, fast-forwarded      {forwarded * 1e3:8.3f} ms in all     {slow / forwarded:6.0f} times as fast")
    print(f"lowering, run and report   {whole * 1e3:8.2f} ms in all")
    figures = {
        "tasks": tasks,
        "reference_us_per_task": slow / tasks * 1e6,
        "numba_us_per_task": every_task / tasks * 1e6,
        "ratio_per_task": slow / every_task,
        "ratio_fast_forwarded": slow / forwarded,
        "simulate_ms": whole * 1e3,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
