"""Hold Epiphany's mesh and cores, as tasks on both engines, against tables of measured figures.

    python -m simulators.platforms.epiphany.validate [--simpy] TABLE.csv …

Prints each row with what the model has for it, whether constants were fitted to it, and how near it should be, and the
vendor's matrix product with its derived cycles; exits with 1 if one is further away. Rows of kinds that are not
modelled are named. `--simpy` has the reference engine run the programs too. A table has the columns id, clock_mhz,
what, size, value.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from simulators.hardware.arch import load_arch
from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.platforms.epiphany.measured_rows import FITTED, MeasuredRow, Modelled, ends_of, modelled
from simulators.platforms.epiphany.spec import EpiphanySpec
from simulators.platforms.held_rows import EngineName, HeldRow, hold_tables

MOST_BYTES = 1 << 20
"""Bytes of a table that are read at most."""
KERNEL = MeasuredRow("kernel", 600, "matrix product on one core, cycles", "32x32", "34045")
"""Derived from the vendor's assembly: 32 rows of 32 x 32 multiply-accumulates and 38 cycles, and 61 around them."""


def read_rows(path: Path) -> list[MeasuredRow]:
    """The rows of a table. Raises InputError with the line of one that cannot be read."""
    text = read_text(path, MOST_BYTES)
    rows = []
    try:
        for number, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=2):
            missing = [name for name in ("id", "clock_mhz", "what", "size", "value") if row.get(name) is None]
            if missing:
                raise InputError(f"{path}:{number}: no column {missing[0]}")
            try:
                clock_mhz = float(row["clock_mhz"] or 0)
            except ValueError:
                raise InputError(f"{path}:{number}: clock_mhz: {row['clock_mhz'][:40]}: expected a number") from None
            rows.append(MeasuredRow(row["id"], clock_mhz, row["what"], row["size"], row["value"]))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not rows:
        raise InputError(f"{path}: no row")
    return rows


def shown(row: MeasuredRow, found: Modelled, engine: str) -> str:
    """A row with what the model has for it."""
    kind = "fitted" if row.id in FITTED else "validates"
    verdict = "" if abs(found.difference) <= found.within else "  TOO FAR"
    return (
        f"{row.id:7} {found.measured:12,.6g} {found.modelled:12,.6g} {found.difference:+8.2%} "
        f"within {found.within:.0%}  {kind:9} {engine}: {row.what[:60]} {row.size}{verdict}"
    )


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 if all rows are near enough, 1 if any is not, 2 for a table that cannot be read."""
    return hold_tables(arguments, __doc__, _held, "kinds")


def _held(table: Path, engines: Sequence[EngineName]) -> Iterator[HeldRow | str]:
    spec = load_arch("epiphany-e16").spec
    assert isinstance(spec, EpiphanySpec)
    for row in [*read_rows(table), KERNEL]:
        for engine in engines:
            found = modelled(row, spec, ends_of(engine))
            if found is None:
                yield row.id
                break
            yield HeldRow(shown(row, found, engine), abs(found.difference) <= found.within)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
