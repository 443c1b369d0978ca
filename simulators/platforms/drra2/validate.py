"""Hold DRRA-2's cell, schedules and columns against tables of its programs' lengths.

    python -m simulators.platforms.drra2.validate [--simpy] TABLE.csv …

Prints each row with what the model has for it and how near it should be: exact, or whether it validates, chose between
rules (shaped), or a figure of the spec was read off it. Exits with 1 if a row is further away. Rows of operations that
are not modelled are named. `--simpy` has the reference engine run the layers too. A table has the columns id, program,
operation, columns, cycles, kind.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.platforms.drra2.target_rows import READ_OFF, SHAPED, FoundCycles, TargetRow, found
from simulators.platforms.held_rows import EngineName, HeldRow, hold_tables

MOST_BYTES = 1 << 20
"""Bytes of a table that are read at most."""
NAMES = ("id", "program", "operation", "columns", "cycles", "kind")


def read_rows(path: Path) -> list[TargetRow]:
    """The rows of a table. Raises InputError with the line of one that cannot be read."""
    rows = []
    try:
        for number, row in enumerate(csv.DictReader(io.StringIO(read_text(path, MOST_BYTES), newline="")), start=2):
            missing = [name for name in NAMES if row.get(name) is None]
            if missing:
                raise InputError(f"{path}:{number}: no column {missing[0]}")
            for name in ("columns", "cycles"):
                if not (row[name].isascii() and row[name].isdigit() and 1 <= len(row[name]) < 10 and int(row[name])):
                    raise InputError(f"{path}:{number}: {name}: {row[name][:40]}: expected a whole number, at least 1")
            rows.append(
                TargetRow(
                    row["id"], row["program"], row["operation"], int(row["columns"]), int(row["cycles"]), row["kind"]
                )
            )
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not rows:
        raise InputError(f"{path}: no row")
    return rows


def near_enough(row: TargetRow, has: FoundCycles) -> bool:
    """Whether the model's figure is as near as it should be."""
    return abs(has.cycles - row.cycles) <= has.within * row.cycles


def shown(row: TargetRow, has: FoundCycles, engine: str) -> str:
    """A row with what the model has for it."""
    kind = "exact" if not has.within else "validates"
    if row.id in READ_OFF | SHAPED:
        kind = "read off" if row.id in READ_OFF else "shaped"
    by = has.by if has.by != "columns" else f"{row.columns} column{'s' * (row.columns > 1)}, {engine}"
    return (
        f"{row.id:4} {row.cycles:7,} {has.cycles:7,} {has.cycles / row.cycles - 1:+8.2%} within {has.within:4.1%}  "
        f"{kind:9} {by}: {row.operation[:70]}{'' if near_enough(row, has) else '  TOO FAR'}"
    )


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 if all rows are near enough, 1 if any is not, 2 for a table that cannot be read."""
    return hold_tables(arguments, __doc__, _held, "operations")


def _held(table: Path, engines: Sequence[EngineName]) -> Iterator[HeldRow | str]:
    for row in read_rows(table):
        for engine in engines:
            has = found(row, engine)
            if has is None:
                yield row.id
                break
            yield HeldRow(shown(row, has, engine), near_enough(row, has))
            if has.by != "columns":
                break


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
