"""Schedules of a column's transfers: when each event starts, as early as the rules allow, without instruction issue.

A schedule is a list of events, each with its port's repetitions and the rules for its start: not before a cycle that
other events decide. Elementwise work and matrix-vector products have the rules of the two schedules that are stored
with DRRA-2's tool: data come through the input buffer and the SRAM of the input cell, row by row into the register
files, word by word through the DPU into another, and back by rows. A transfer between cells takes no cycle (`transfer`
0, the stored schedule A) or one (1: schedule B, and the matrix-vector programs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from simulators.inputs.errors import InputError
from simulators.platforms.drra2.port_nest import PortNest, nest

ROW_WORDS = 16
"""Words of 16 bits in a row of 256."""
FILE_WORDS = 64
"""Words of a register file."""
FILE_ROWS = FILE_WORDS // ROW_WORDS


@dataclass(frozen=True)
class After:
    """A rule: an event of mine comes so many cycles after one of another, or later."""

    other: str
    cycles: int
    theirs: int = 0
    """Which of the other's events, from 0."""
    mine: int = 0
    """Which of my own."""


@dataclass(frozen=True)
class Scheduled:
    """One port's events."""

    name: str
    nest: PortNest
    rules: tuple[After, ...] = ()
    """What it waits for: events that come before it in the schedule."""


@dataclass(frozen=True)
class Timetable:
    """Starts of all events."""

    starts: dict[str, int]
    """First cycle of each event, by name."""
    latency: int
    """First cycle after the last event of all."""


def earliest(events: Sequence[Scheduled]) -> Timetable:
    """The earliest start of each event. Raises InputError for a rule of an event that does not come before."""
    nests: dict[str, PortNest] = {}
    starts: dict[str, int] = {}
    for event in events:
        start = 0
        for rule in event.rules:
            if rule.other not in starts:
                raise InputError(f"event {event.name}: it waits for {rule.other}, which does not come before it")
            theirs = starts[rule.other] + nests[rule.other].at(rule.theirs)
            start = max(start, theirs + rule.cycles - event.nest.at(rule.mine))
        starts[event.name], nests[event.name] = start, event.nest
    return Timetable(starts, max((starts[name] + nests[name].length for name in starts), default=0))


def elementwise_events(elements: int, operands: int, transfer: int) -> list[Scheduled]:
    """One operation on vectors of so many elements, of one or two operands. What register files hold at once comes in
    one go, more of it a row of each operand every 16 cycles. Raises InputError for no element."""
    if elements < 1 or operands not in (1, 2):
        raise InputError(f"{elements} elements of {operands} operands: expected at least one, of 1 or 2 operands")
    rows = ceil(elements / ROW_WORDS)
    at_once = rows <= FILE_ROWS
    paced = 0 if at_once else ROW_WORDS - operands
    come = nest((operands, 0), (rows, paced))
    events = [
        Scheduled("buffer read", nest((rows * operands, 0))),
        Scheduled("route", nest()),
        Scheduled("switch box", nest()),
    ]
    rules = [After("route", 1)]
    if transfer == 0:
        rules.append(After("buffer read", 1))
    events.append(Scheduled("sram read", come, tuple(rules)))
    reads = [After("switch box", 1)]
    for operand in range(operands):
        name = f"file {operand + 1} row write"
        written = nest((rows, operands - 1 + paced))
        events.append(Scheduled(name, written, (After("sram read", transfer, operand),)))
        reads += [After(name, 1, row, min(row * ROW_WORDS, elements - 1)) for row in range(rows)]
    events.append(Scheduled("word read", nest((elements, 0)), tuple(reads)))
    events.append(Scheduled("file 3 word write", nest((elements, 0)), (After("word read", 1 + transfer),)))
    filled = tuple(After("file 3 word write", 1, min((row + 1) * ROW_WORDS, elements) - 1, row) for row in range(rows))
    left = nest((rows, 0 if at_once else ROW_WORDS - 1))
    return [*events, *_leave(left, filled, transfer)]


def vector_load(rows: int) -> int:
    """Cycles in which a vector of so many rows comes to a register file: row k leaves the buffer at k, the SRAM at
    k + 1, and is written at k + 2."""
    return rows + 2


def matrix_events(outputs: int, inputs: int) -> list[Scheduled]:
    """Weights of so many outputs against a vector that is there, transfers of one cycle: the second phase of a
    matrix-vector product. Results leave when the last is there. Raises InputError for inputs that do not fill rows, or
    more than a register file has, and for results that no register file holds."""
    if not 1 <= outputs <= FILE_WORDS or inputs % ROW_WORDS or not 1 <= inputs <= FILE_WORDS:
        raise InputError(
            f"{outputs} outputs of {inputs} inputs: expected up to {FILE_WORDS} outputs, and inputs of whole rows of "
            f"{ROW_WORDS} up to {FILE_WORDS}"
        )
    rows = inputs // ROW_WORDS
    weights = nest((rows, 0), (outputs, inputs - rows))
    reads = tuple(
        After("file 2 row write", 1, output * rows + row, output * inputs + row * ROW_WORDS)
        for output in range(outputs)
        for row in range(rows)
    )
    filled = tuple(After("file 3 word write", 1, outputs - 1, row) for row in (ceil(outputs / ROW_WORDS) - 1,))
    return [
        Scheduled("buffer read", weights),
        Scheduled("sram read", weights, (After("buffer read", 1),)),
        Scheduled("file 2 row write", weights, (After("sram read", 1),)),
        Scheduled("word read", nest((inputs, 0), (outputs, 0)), reads),
        Scheduled("file 3 word write", nest((outputs, inputs - 1)), (After("word read", 2, inputs - 1),)),
        *_leave(nest((ceil(outputs / ROW_WORDS), 0)), filled, 1),
    ]


def _leave(rows: PortNest, filled: tuple[After, ...], transfer: int) -> list[Scheduled]:
    """Rows of results leave the register file, go to the SRAM of the output cell, and from there to the buffer."""
    return [
        Scheduled("file 3 row read", rows, filled),
        Scheduled("sram write", rows, (After("file 3 row read", transfer),)),
        Scheduled("buffer write", rows, (After("sram write", 1),)),
    ]
