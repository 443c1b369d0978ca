"""Both engines run the same programs to the same cycle, with ties on purpose, and fast-forwarding changes nothing."""

import numba
import numpy as np
import pytest

from simulators.engine import fast as engine
from simulators.engine import reference
from simulators.engine.attribution import charge
from simulators.engine.fast import PrefetchState, SegmentTiming
from simulators.engine.machine import Deadlock, Machine, Queue
from simulators.engine.program import Program, Task, program, unroll
from simulators.inputs.errors import InputError
from simulators.testing import check_program

KINDS = ("compute", "weights", "inputs", "outputs")
SEEDS = 15 if numba.config.DISABLE_JIT else 100
"""Programs of each part; as Python, where they show that the kernels' lines are run, a few do."""


def random_machine(rng: np.random.Generator) -> Machine:
    servers = int(rng.integers(1, 4))
    queues = [Queue(f"q{i}", i) for i in range(servers)]
    queues += [Queue(f"q{i}", int(rng.integers(servers))) for i in range(servers, servers + int(rng.integers(0, 4)))]
    order = rng.permutation(len(queues))
    return Machine(
        tuple(f"s{i}" for i in range(servers)),
        tuple(bool(x) for x in rng.integers(0, 2, servers)),
        tuple(queues[i] for i in order),
        KINDS,
    )


def random_program(rng: np.random.Generator, machine: Machine, repeats: int) -> Program:
    """A few blocks, some repeating; small service times make ties common; dependencies reach across blocks."""
    blocks: list[tuple[int, int, list[Task]]] = []
    begin, floor = 0, 0
    longest = int(rng.choice([1, 2, 4, 9]))
    for b in range(int(rng.integers(1, 5))):
        size = int(rng.integers(1, 7))
        repeat = int(rng.integers(1, repeats + 1)) if rng.random() < 0.7 else 1
        tasks = []
        for j in range(size):
            u = begin + j
            after = tuple(
                int(rng.integers(1, min(u - floor, 2 * size + 2) + 1))
                for _ in range(int(rng.integers(0, 3)))
                if u > floor
            )
            after_block = (
                tuple(
                    (c, int(rng.integers(1, blocks[c][0] * len(blocks[c][2]) + 1)))
                    for c in rng.integers(0, b, int(rng.integers(0, 2))).tolist()
                )
                if b
                else ()
            )
            tasks.append(
                Task(
                    int(rng.integers(len(machine.queues))),
                    int(rng.integers(1, longest + 1)),
                    int(rng.integers(len(KINDS))),
                    after,
                    after_block,
                )
            )
        blocks.append((repeat, 0, tasks))
        if repeat > 1:
            floor = begin
        begin += repeat * size
    return program(blocks)


def run(machine: Machine, compact: Program) -> SegmentTiming:
    """A program of one segment, periods that recur left out."""
    return engine.run_segment(machine, compact, len(compact.repeat), PrefetchState())


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_engines_agree_on_every_task(part: int) -> None:
    for seed in range(SEEDS):
        rng = np.random.default_rng([part, seed])
        machine = random_machine(rng)
        compact = random_program(rng, machine, 6)
        check_program(compact, machine)
        start, end = reference.run_tasks(machine, compact)
        assert len(start) == compact.tasks
        fast_start, fast_end = engine.run_tasks(machine, compact)
        assert fast_start.tolist() == start.tolist(), (part, seed)
        assert fast_end.tolist() == end.tolist(), (part, seed)
        slow = reference.run(machine, compact)
        fast = run(machine, compact)
        assert fast.cycles == slow.cycles == end.max()
        assert [list(fast.charged)] == slow.charged.tolist(), (part, seed)
        assert sum(fast.charged) == fast.cycles


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_fast_forwarding_equals_the_written_out_run(part: int) -> None:
    for seed in range(SEEDS):
        rng = np.random.default_rng([99, part, seed])
        machine = random_machine(rng)
        compact = random_program(rng, machine, 90)
        start, end = engine.run_tasks(machine, compact)
        charged = charge(unroll(compact), start.tolist(), end.tolist(), machine)
        fast = run(machine, compact)
        assert fast.cycles == end.max(), (part, seed)
        assert [list(fast.charged)] == charged.tolist(), (part, seed)


def test_a_long_run_costs_what_its_first_periods_do() -> None:
    machine = Machine(("dram", "array"), (False, True), (Queue("loads", 0), Queue("compute", 1)), KINDS)
    period = [Task(0, 7, 1, (3,)), Task(1, 10, 0, (1,))]
    first = [Task(0, 7, 1), Task(1, 10, 0, (1,))]
    timing = run(machine, program([(1, 0, first), (1, 0, first), (1_000_000_000, 0, period)]))
    assert timing.cycles == 7 + 10 * 1_000_000_002
    assert timing.charged == (10 * 1_000_000_002, 7, 0, 0)


def test_deadlock_is_an_error_in_both_engines() -> None:
    machine = Machine(("a", "b"), (True, True), (Queue("qa", 0), Queue("qb", 1)), KINDS)
    circle = program([(1, 0, [Task(0, 1, 0, (-1,)), Task(1, 1, 0, (1,))])])
    with pytest.raises(Deadlock, match="qa at task 0, qb at task 1"):
        run(machine, circle)
    with pytest.raises(Deadlock, match="qa at task 0, qb at task 1"):
        reference.run(machine, circle)
    assert not issubclass(Deadlock, InputError), "a lowering's defect, which must not read as a user's mistake"


def test_overflow_is_refused() -> None:
    machine = Machine(("a",), (True,), (Queue("qa", 0),), KINDS)
    with pytest.raises(ValueError, match="2\\^60"):
        run(machine, program([(1 << 40, 0, [Task(0, 1 << 30)])]))


def test_priority_is_by_queue_order_and_completions_come_first() -> None:
    machine = Machine(("s", "t"), (True, False), (Queue("high", 0), Queue("low", 0), Queue("other", 1)), KINDS)
    # `high` becomes ready in the very cycle in which the server is released: it goes before `low`, ready all along.
    tasks = program([(1, 0, [Task(2, 5), Task(1, 5), Task(1, 3), Task(0, 2, 0, (3,))])])
    start, _ = engine.run_tasks(machine, tasks)
    assert start.tolist() == [0, 0, 7, 5]
    assert reference.run_tasks(machine, tasks)[0].tolist() == [0, 0, 7, 5]
