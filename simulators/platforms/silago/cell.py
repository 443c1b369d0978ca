"""One SiLago cell, instruction by instruction: when the sequencer issues, address generators run, rows arrive and the
DPU adds.

    python -m simulators.platforms.silago.cell [ELEMENTS]

The sequencer issues one instruction a cycle; WAIT n takes n + 1. An address generator starts `delay` cycles after the
cycle in which its REFI was issued, or after its work before, and moves one word a cycle (a row a cycle towards
DiMArch). A DiMArch row reaches the register file `read_latency_cycles` after its SRAM instruction, and 2 cycles later
for every further hop. The DPU has a latency of one cycle. Nothing waits for data: delays are part of the program, so a
program whose delays are wrong is refused. These rules are those of the published vector-add test bench
(silagokth/fabric): 16 elements, 35 cycles.

Instructions and generators are tasks of the machine model, so both engines time them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from simulators.engine import fast as engine
from simulators.engine.machine import Machine, Queue
from simulators.engine.program import Ints, Program, Task, program
from simulators.hardware.arch import load_arch
from simulators.inputs.errors import InputError
from simulators.inputs.terminal import Terminal
from simulators.platforms.silago.spec import SilagoSpec

SEQUENCER, WRITE, READ_0, READ_1, ROWS, DIMARCH, DPU = range(7)
UNITS = ("sequencer", "write port", "read port 0", "read port 1", "row port", "dimarch", "dpu")
MACHINE = Machine(UNITS, (False,) * 6 + (True,), tuple(Queue(unit, i) for i, unit in enumerate(UNITS)), ("compute",))
DPU_LATENCY = 1


@dataclass(frozen=True)
class Instruction:
    """One instruction of a cell's sequencer."""

    name: str
    cycles: int = 1
    """In the sequencer; more than one for WAIT."""
    unit: int | None = None
    """What it starts."""
    delay: int = 0
    """Cycles between the instruction's cycle and the unit's first one."""
    count: int = 0
    """Words or rows."""


@dataclass(frozen=True)
class Event:
    """What a unit does from `start` to `end` (not included), in cycles from the first issue."""

    start: int
    """First cycle."""
    end: int
    """First cycle after it."""
    unit: str
    what: str


def vector_add(elements: int, spec: SilagoSpec) -> list[Instruction]:
    """The test bench's program for so many words: two operands come from DiMArch, their sum goes to the register file.

    Raises InputError for what the register file does not hold.
    """
    words = spec.dimarch.row_bits // spec.cell.word_bits
    rows = ceil(elements / words)
    if elements < 1 or 2 * rows * words > spec.cell.register_file_words:
        raise InputError(
            f"{elements} elements: two operands of 1 to {spec.cell.register_file_words // (2 * words) * words} fit "
            f"{spec.name}'s register file of {spec.cell.register_file_words} words"
        )
    latency = spec.dimarch.first_row_cycles
    # Cycles of the instructions in the order of the test bench; what comes later is placed by what it waits for.
    write, read_0, first_row, first_port, read_1, second_port, second_row, dpu_earliest = 0, 1, 3, 4, 5, 9, 11, 12
    # A row is held back until its port's generator is there, which takes its next REFI when it is done with the last.
    first = max(first_row + latency, first_port + 1)
    port_free = max(second_port + 1, first + rows)
    second = max(second_row + latency, port_free)
    arrived = second + rows - 1
    reads = max(arrived + 1, dpu_earliest + 2)
    dpu = reads - 2
    writes = reads + DPU_LATENCY
    halt = writes + elements - 1
    return [
        Instruction("REFI write", unit=WRITE, delay=writes - write - 1, count=elements),
        Instruction("REFI read 0", unit=READ_0, delay=reads - read_0 - 1, count=elements),
        Instruction("ROUTE"),
        Instruction("SRAM row 1", unit=DIMARCH, delay=first - first_row - 1, count=rows),
        Instruction("REFI row", unit=ROWS, delay=first - first_port - 1, count=rows),
        Instruction("REFI read 1", unit=READ_1, delay=reads - read_1 - 1, count=elements),
        *(Instruction("SWB"),) * 3,
        Instruction("REFI row", unit=ROWS, delay=second - port_free, count=rows),
        Instruction("ROUTE"),
        Instruction("SRAM row 0", unit=DIMARCH, delay=second - max(second_row + 1, first + rows), count=rows),
        *_wait(dpu - dpu_earliest),
        Instruction("DPU add", unit=DPU, delay=1, count=elements),
        *_wait(halt - dpu - 1),
        Instruction("HALT"),
    ]


def _wait(cycles: int) -> list[Instruction]:
    """WAIT n takes n + 1 cycles."""
    return [Instruction(f"WAIT {cycles - 1}", cycles=cycles)] if cycles > 0 else []


def run(
    instructions: Sequence[Instruction],
    spec: SilagoSpec,
    run_tasks: Callable[[Machine, Program], tuple[Ints, Ints]] = engine.run_tasks,
) -> list[Event]:
    """Events in order. Raises InputError where the program does not fit the sequencer or its delays do not meet."""
    if len(instructions) > spec.cell.instruction_slots:
        raise InputError(
            f"{len(instructions)} instructions: {spec.name}'s sequencer holds {spec.cell.instruction_slots} "
            "(cell.instruction_slots)"
        )
    tasks: list[Task] = []
    kept: list[tuple[int, str]] = []  # of each task: its unit, or -1 for a delay; what it does
    for instruction in instructions:
        tasks.append(Task(SEQUENCER, instruction.cycles))
        kept.append((SEQUENCER, instruction.name))
        if instruction.unit is not None:
            after = 1
            if instruction.delay:
                tasks.append(Task(instruction.unit, instruction.delay, after=(1,)))
                kept.append((-1, "delay"))
            tasks.append(Task(instruction.unit, instruction.count, after=(after,)))
            kept.append((instruction.unit, instruction.name))
    start, end = run_tasks(MACHINE, program([(1, 0, tasks)]))
    events = [Event(int(start[i]), int(end[i]), UNITS[unit], what) for i, (unit, what) in enumerate(kept) if unit >= 0]
    _check(events)
    return sorted(events, key=lambda event: (event.start, UNITS.index(event.unit)))


def _check(events: Sequence[Event]) -> None:
    """Raise InputError where a unit runs when what it works on is not there, or before its own cycle."""
    of = {unit: [event for event in events if event.unit == unit] for unit in UNITS}
    arrivals = [(event.start, event.end) for event in of["dimarch"]]
    opened = [(event.start, event.end) for event in of["row port"]]
    if arrivals != opened:
        raise InputError(f"rows arrive at {arrivals}, but the row port is open at {opened} (from, to cycle)")
    last_row = max((end for _, end in arrivals), default=0)
    starts = {unit: [event.start for event in of[unit]] for unit in UNITS}
    for port in ("read port 0", "read port 1"):
        if starts[port] != starts["dpu"] or min(starts[port], default=last_row) < last_row:
            raise InputError(
                f"{port} reads from cycle {starts[port]}, the dpu from {starts['dpu']}, rows are there from {last_row}"
            )
    if [cycle - DPU_LATENCY for cycle in starts["write port"]] != starts["dpu"]:
        raise InputError(f"the dpu adds from cycle {starts['dpu']}, results are written from {starts['write port']}")


def cycles(events: Sequence[Event]) -> int:
    """Cycles from the first issue to the end of the last instruction."""
    return max(event.end for event in events if event.unit == "sequencer")


def main(arguments: Sequence[str]) -> int:
    """Print the vector add's events."""
    spec = load_arch("silago").spec
    assert isinstance(spec, SilagoSpec)
    try:
        elements = int(arguments[0]) if arguments else 16
        events = run(vector_add(elements, spec), spec)
    except (InputError, ValueError) as error:
        Terminal(stderr=True).say(f"silago.cell: {error}")
        return 2
    for event in events:
        cycle = f"{event.start}" if event.end == event.start + 1 else f"{event.start}-{event.end - 1}"
        print(f"{cycle:>6}  {event.unit:12} {event.what}")
    print(f"{cycles(events)} cycles for {elements} elements")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
