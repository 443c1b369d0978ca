"""The Numba engine against the SimPy reference on one program: time a task, and with what repeats left out.

    python benchmarks/engines.py [--mesh]

With `--mesh` besides on meshes of cores, whose servers are hundreds or thousands: how much longer a task takes the
Numba engine there. Ends with one line of JSON. Ratios are what to quote; times are of the machine that ran it.
"""

import json
import sys

from timing import seconds

from simulators import load_arch, load_trace
from simulators.engine import reference
from simulators.engine.fast import run_tasks
from simulators.run.lowered import Lowered
from simulators.run.simulation import Simulator, lower

TRACE, ARCH = "mohaq-sru-8bit", "bitfusion"


MESHES = (("epiphany-e16", 8), ("epiphany-e64", 8), ("epiphany-v", 8))
"""Architectures, and time steps of the trace that are run on each."""


def main() -> None:
    known = Simulator(load_arch(ARCH))
    numbers = known.segments(load_trace(TRACE).layers)
    lowered = known.lowered(numbers)
    tasks = lowered.program.tasks
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
    if "--mesh" in sys.argv[1:]:
        figures |= meshes(every_task / tasks)
    print(json.dumps(figures))


def meshes(elsewhere_s: float) -> dict[str, float]:
    """Figures of every task of a network on each mesh; `elsewhere_s`: seconds of a task on a machine of few servers."""
    figures: dict[str, float] = {}
    for name, steps in MESHES:
        lowered = lower(load_trace(TRACE).at_steps(steps), load_arch(name))
        tasks, servers = lowered.program.tasks, len(lowered.machine.servers)

        def every(lowered: Lowered = lowered) -> object:
            return run_tasks(lowered.machine, lowered.program)

        of_task = seconds(every, 3) / tasks
        times = of_task / elsewhere_s
        print(f"{name}: {servers:,} servers, {tasks:,} tasks: {of_task * 1e6:.4f} µs a task, {times:.2f} times as long")
        figures |= {f"{name}_servers": servers, f"{name}_us_per_task": of_task * 1e6, f"{name}_times_as_long": times}
    return figures


if __name__ == "__main__":
    main()
