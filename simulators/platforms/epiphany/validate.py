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
from collections.abc import Sequence
from pathlib import Path

from simulators.hardware.arch import load_arch
from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.inputs.terminal import Terminal
from simulators.platforms.epiphany.measured_rows import FITTED, MeasuredRow, Modelled, ends_of, modelled
from simulators.platforms.epiphany.spec import EpiphanySpec

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
    engines = ("numba", "simpy") if "--simpy" in arguments else ("numba",)
    names = [argument for argument in arguments if argument != "--simpy"]
    if not names:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    spec = load_arch("epiphany-e16").spec
    assert isinstance(spec, EpiphanySpec)
    near = far = 0
    left_out: list[str] = []
    out = Terminal()
    for name in names:
        try:
            for row in [*read_rows(Path(name)), KERNEL]:
                for engine in engines:
                    found = modelled(row, spec, ends_of(engine))
                    if found is None:
                        left_out.append(row.id)
                        break
                    out.say(shown(row, found, engine))
                    near, far = (near + 1, far) if abs(found.difference) <= found.within else (near, far + 1)
        except InputError as error:
            Terminal(stderr=True).say(f"{name}: {error}")
            return 2
    if left_out:
        out.say(f"Of kinds that are not modelled: {', '.join(left_out)}")
    out.say(f"{near} of {near + far} rows are near enough")
    return 0 if near and not far else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
