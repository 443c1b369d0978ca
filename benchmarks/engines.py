"""The Numba engine against the SimPy reference on one program: time a task, and with what repeats left out.

    python benchmarks/engines.py

Ends with one line of JSON. Ratios are what to quote; times are of the machine that ran it.
"""

import json

from timing import seconds

from simulators import load_arch, load_trace
from simulators.engine import reference, run_tasks
from simulators.engine.program import unroll
from simulators.run.simulation import Simulator

TRACE, ARCH = "mohaq-sru-8bit", "bitfusion"


def main() -> None:
    known = Simulator(load_arch(ARCH))
    numbers = known.segments(load_trace(TRACE).layers)
    lowered = known.lowered(numbers)
    tasks = len(unroll(lowered.program))
    slow = seconds(lambda: reference.run(lowered.machine, lowered.program), 3)
    every_task = seconds(lambda: run_tasks(lowered.machine, lowered.program), 20)

    def forward() -> int:
        known.cache.forget_timings()
        return sum(passage.cycles for passage in known.cache.run(numbers))

    forwarded = seconds(forward, 20)
    assert forward() == reference.run(lowered.machine, lowered.program).cycles
    print(f"{TRACE} on {ARCH}: {tasks} tasks")
    print(f"SimPy reference            {slow / tasks * 1e6:8.2f} µs a task")
    print(
        f"Numba, every task          {every_task / tasks * 1e6:8.4f} µs a task   {slow / every_task:6.0f} times as fast"
    )
    print(f"Numba, fast-forwarded      {forwarded * 1e3:8.3f} ms in all     {slow / forwarded:6.0f} times as fast")
    figures = {
        "tasks": tasks,
        "reference_us_per_task": slow / tasks * 1e6,
        "numba_us_per_task": every_task / tasks * 1e6,
        "ratio_per_task": slow / every_task,
        "ratio_fast_forwarded": slow / forwarded,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
