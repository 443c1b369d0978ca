"""What a program of a column takes, part by part: the lengths follow from configurations that are issued before the
first activation, the earliest schedule of the transfers, and HALT behind the last event.

The template of DRRA-2 is such a program: 16 configurations, a schedule of 38 cycles, HALT. Ports are configured by dsu,
and rep and repx for each level (`port_nest.py`); besides, each operand has a path for rows and one for words, and
there are the DPU's mode and the path of its results. The program of several columns has the instructions of that of
one, with fewer iterations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simulators.inputs.errors import InputError
from simulators.platforms.drra2.port_nest import PortNest
from simulators.platforms.drra2.spec import Drra2Spec

HALT = 1
FILL, DRAIN = 3, 5
"""Cycles of a product before its first word is read, through buffer, SRAM and register file; and behind its last word,
for the last result, its row, SRAM, buffer and the cycle of that."""
ACTIVATIONS = 11
"""Instructions of the template's compute cell besides the configurations before its first activation."""


class ProgramPart(NamedTuple):
    """A stretch of a column's program in which one thing after another is done."""

    configure: int = 0
    """Cycles of the sequencer before the first activation; 0: all is configured."""
    load: int = 0
    """Cycles until the DPU has its first words."""
    words: int = 0
    """Cycles in which the DPU works."""
    reload: int = 0
    """Cycles in which it waits for its register files."""
    leave: int = 0
    """Cycles behind its last word, HALT included where the program ends."""
    apart: int = 0
    """Cycles that a program of several columns takes more."""

    @property
    def cycles(self) -> int:
        """All of them."""
        return sum(self)


class ColumnProgram(NamedTuple):
    """Parts, each as often as it is repeated, of the column that has most to do."""

    parts: tuple[tuple[int, ProgramPart], ...]
    """How often a part is run, and the part."""
    columns: int
    """Columns that have anything to do."""

    @property
    def cycles(self) -> int:
        """All cycles."""
        return sum(count * part.cycles for count, part in self.parts)


def column_program(parts: Sequence[tuple[int, ProgramPart]], columns: int, spec: Drra2Spec) -> ColumnProgram:
    """A program that so many columns run: whatever is done again begins with its first part."""
    (count, first), *others = parts
    apart = spec.timing.columns_cycles * (columns - 1) // columns
    return ColumnProgram(((count, first._replace(apart=apart)), *others), columns)


def configurations(ports: Sequence[PortNest], operands: int, spec: Drra2Spec) -> int:
    """Instructions before the first activation. Raises InputError where the program does not fit its memory."""
    count = sum(port.configurations for port in ports) + 2 * operands + 2
    if count + ACTIVATIONS > spec.fabric.instruction_memory:
        raise InputError(
            f"fabric.instruction_memory: {spec.fabric.instruction_memory}: its program has {count + ACTIVATIONS} "
            "instructions"
        )
    return count


def longest(programs: Iterable[ColumnProgram]) -> ColumnProgram:
    """The program of the column that has most to do, for which the others wait."""
    return max(programs, key=lambda program: program.cycles)


def shortest(programs: Iterable[ColumnProgram]) -> ColumnProgram:
    """The program that is written, of several that do the same."""
    return min(programs, key=lambda program: program.cycles)
