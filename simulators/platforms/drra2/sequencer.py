"""One cell of DRRA-2, instruction by instruction: what its sequencer issues, and when the ports that it activates run.

The sequencer issues one instruction a cycle; WAIT n holds it n + 1 cycles. ACT starts the ports that it names in its
own cycle, and from then on they count by themselves. HALT ends the program. Nothing waits for data: a program says by
its own waits when things meet, so what can be wrong about it by itself is refused here, and how programs of several
cells meet is what `schedules.py` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulators.inputs.errors import InputError
from simulators.platforms.drra2.port_nest import PortLevel, PortNest

INSTRUCTIONS = 256
"""Instructions that a cell's memory holds; older files have 64."""


@dataclass(frozen=True)
class Dsu:
    """Sets a port's first address; its repetitions so far are forgotten."""

    port: str


@dataclass(frozen=True)
class Rep:
    """Adds a level of repetitions to a port, around those that it has: rep, or both rep and repx of a level."""

    port: str
    count: int
    """Repetitions."""
    delay: int = 0
    """Idle cycles between two repetitions."""

    @property
    def instructions(self) -> int:
        """One, and repx where rep's 6 bits do not do."""
        return PortNest((PortLevel(self.count, self.delay),)).configurations - 1


@dataclass(frozen=True)
class Configure:
    """A switch box, a route, a mode, or other settings that move nothing."""

    what: str
    instructions: int = 1
    """Instructions that it takes, a cycle each."""


@dataclass(frozen=True)
class Activate:
    """Starts ports."""

    ports: tuple[str, ...] = ()
    """None: what a switch box or a route was given takes effect."""


@dataclass(frozen=True)
class Wait:
    """Holds the sequencer n + 1 cycles."""

    n: int
    """Field of the instruction: one less than the cycles."""


@dataclass(frozen=True)
class Halt:
    """Ends the program."""


CellInstruction = Dsu | Rep | Configure | Activate | Wait | Halt


@dataclass(frozen=True)
class PortRun:
    """A port that was activated."""

    port: str
    start: int
    """Cycle of its first event, from the first issue."""
    nest: PortNest

    @property
    def end(self) -> int:
        """First cycle after its last event."""
        return self.start + self.nest.length


@dataclass(frozen=True)
class CellRun:
    """What a program did."""

    cycles: int
    """Cycles that the sequencer took, HALT included."""
    runs: tuple[PortRun, ...]
    """Ports in the order in which they were activated."""


def run_cell(program: Sequence[CellInstruction], memory: int = INSTRUCTIONS) -> CellRun:
    """Run a cell's program. Raises InputError with the instruction's number for one that cannot be: a port activated
    that was never given an address or is still busy, repetitions of such a port, a wait out of range, an instruction
    behind HALT or none; and for more instructions than the memory holds."""
    cycle, issued = 0, 0
    levels: dict[str, list[PortLevel]] = {}
    busy: dict[str, int] = {}
    runs: list[PortRun] = []
    halted = False
    for number, instruction in enumerate(program):
        where = f"instruction {number}"
        if halted:
            raise InputError(f"{where}: behind HALT, which ends the program")
        count = 1
        if isinstance(instruction, Dsu):
            levels[instruction.port] = []
        elif isinstance(instruction, Rep):
            if instruction.port not in levels:
                raise InputError(f"{where}: rep of {instruction.port}, whose first address no dsu has set")
            try:
                count = instruction.instructions
            except InputError as error:
                raise InputError(f"{where}: {error}") from None
            levels[instruction.port].append(PortLevel(instruction.count, instruction.delay))
        elif isinstance(instruction, Configure):
            count = instruction.instructions
        elif isinstance(instruction, Activate):
            for port in instruction.ports:
                if port not in levels:
                    raise InputError(f"{where}: act of {port}, whose first address no dsu has set")
                if cycle < busy.get(port, 0):
                    raise InputError(f"{where}: act of {port} in cycle {cycle}: it is busy up to {busy[port] - 1}")
                runs.append(PortRun(port, cycle, PortNest(tuple(levels[port]))))
                busy[port] = runs[-1].end
        elif isinstance(instruction, Halt):
            halted = True
        elif instruction.n < 0:
            raise InputError(f"{where}: wait {instruction.n}: expected 0 or more")
        issued += count
        cycle += instruction.n + 1 if isinstance(instruction, Wait) else count
    if not halted:
        raise InputError("a program without HALT")
    if issued > memory:
        raise InputError(f"{issued} instructions: a cell's memory holds {memory}")
    return CellRun(cycle, tuple(runs))
