"""The reference engine, in SimPy: the machine model's rule in so many words. It is slow, and it is the definition.

SimPy's own PriorityResource grants when a unit is released, before requests of the same cycle arrive. The model's
rule has two phases in a cycle, so it is written out here: completions run as ordinary events, and each asks for one
dispatch in the same cycle, which has a lower priority than any of them and therefore sees them all.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import simpy
from simpy.events import EventPriority

from simulators.engine.attribution import charge
from simulators.engine.machine import Deadlock, Machine
from simulators.engine.program import FlatTask, Ints, Program, unroll

AFTER_COMPLETIONS = EventPriority(10)
"""SimPy's events have priority 0 (urgent) or 1 (normal)."""


@dataclass(frozen=True)
class Timing:
    """What a run of a program gives."""

    cycles: int
    """Makespan."""
    charged: Ints
    """(segments, kinds) cycles by segment and what they went on; they add up to `cycles`. See `attribution.py`."""


class Simulation:
    """One run of a written-out program."""

    def __init__(self, machine: Machine, tasks: Sequence[FlatTask]) -> None:
        self.machine = machine
        self.tasks = tasks
        self.environment = simpy.Environment()
        self.start = [-1] * len(tasks)
        """Cycle in which each task started; -1 as long as it has not."""
        self.end = [-1] * len(tasks)
        """Cycle in which each task completed; -1 as long as it has not."""
        self.waiting: dict[int, list[int]] = {q: [] for q in sorted({task.queue for task in tasks})}
        """What each queue that has tasks has not started yet, in order of priority. The head is the last, which pops in
        constant time."""
        for u in reversed(range(len(tasks))):
            self.waiting[tasks[u].queue].append(u)
        self.unfinished = [0] * (1 + max((task.segment for task in tasks), default=0))
        """Tasks of each segment that have not completed."""
        for task in tasks:
            self.unfinished[task.segment] += 1
        self.idle = [True] * len(machine.servers)
        self.dispatch_due = False

    def run(self) -> None:
        """Run to the end. Raises Deadlock when tasks are left that wait for each other."""
        self.ask_for_dispatch()
        self.environment.run()
        stuck = [f"{self.machine.queues[q].name} at task {queue[-1]}" for q, queue in self.waiting.items() if queue]
        if stuck:
            raise Deadlock(f"no task can start: {', '.join(stuck)} wait for each other")

    def ask_for_dispatch(self) -> None:
        """Have idle servers look for work once, after everything else that happens in this cycle."""
        if not self.dispatch_due:
            self.dispatch_due = True
            event = self.environment.event()
            event.callbacks.append(self.dispatch)
            event._ok, event._value = True, None
            self.environment.schedule(event, priority=AFTER_COMPLETIONS)

    def dispatch(self, _: simpy.Event) -> None:
        """Start the ready head of highest priority on every idle server."""
        self.dispatch_due = False
        for q, waiting in self.waiting.items():  # in order of priority
            server = self.machine.queues[q].server
            if waiting and self.idle[server] and self.is_ready(waiting[-1]):
                self.idle[server] = False
                self.environment.process(self.serve(waiting.pop(), server))

    def is_ready(self, u: int) -> bool:
        """All that the task depends on has completed."""
        task = self.tasks[u]
        if task.barrier and any(self.unfinished[: task.segment]):
            return False
        return all(self.end[d] >= 0 for d in task.after)

    def serve(self, u: int, server: int) -> Generator[simpy.Event, None, None]:
        """A task's time on its server."""
        self.start[u] = int(self.environment.now)
        yield self.environment.timeout(self.tasks[u].service)
        self.end[u] = int(self.environment.now)
        self.unfinished[self.tasks[u].segment] -= 1
        self.idle[server] = True
        self.ask_for_dispatch()


def run_tasks(machine: Machine, compact: Program) -> tuple[Ints, Ints]:
    """Start and end cycle of every task by unrolled index, every period written out. Raises Deadlock."""
    simulation = Simulation(machine, unroll(compact))
    simulation.run()
    return np.array(simulation.start, np.int64), np.array(simulation.end, np.int64)


def run(machine: Machine, compact: Program) -> Timing:
    """Makespan and charged cycles of a program, every period written out. Raises Deadlock."""
    simulation = Simulation(machine, unroll(compact))
    simulation.run()
    charged = charge(simulation.tasks, simulation.start, simulation.end, machine)
    return Timing(max(simulation.end, default=0), charged)
