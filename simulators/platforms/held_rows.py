"""What `validate` of a platform prints of tables whose rows its model should come near, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from simulators.inputs.errors import InputError
from simulators.inputs.terminal import Terminal

EngineName = Literal["numba", "simpy"]


class HeldRow(NamedTuple):
    """A row for which the model has a figure."""

    text: str
    """The row as it is shown."""
    is_near: bool
    """Whether the figure is as near as it should be."""


HeldRows = Callable[[Path, Sequence[EngineName]], Iterable[HeldRow | str]]
"""Rows of a table on each of these engines, and names of those that are not modelled. Raises InputError for a table
that cannot be read."""


def hold_tables(arguments: Sequence[str], usage: str, held: HeldRows, left_out_are: str) -> int:
    """Show rows of the tables that are named, on the reference engine too behind `--simpy`. Exit code: 0 if all rows
    are near enough, 1 if any is not, 2 for a table that cannot be read. `left_out_are` says what is not modelled."""
    engines: tuple[EngineName, ...] = ("numba", "simpy") if "--simpy" in arguments else ("numba",)
    names = [argument for argument in arguments if argument != "--simpy"]
    if not names:
        print(usage.strip(), file=sys.stderr)
        return 2
    near = far = 0
    left_out: list[str] = []
    out = Terminal()
    for name in names:
        try:
            for row in held(Path(name), engines):
                if isinstance(row, str):
                    left_out.append(row)
                    continue
                out.say(row.text)
                near, far = (near + 1, far) if row.is_near else (near, far + 1)
        except InputError as error:
            Terminal(stderr=True).say(f"{name}: {error}")
            return 2
    if left_out:
        out.say(f"Of {left_out_are} that are not modelled: {', '.join(left_out)}")
    out.say(f"{near} of {near + far} rows are near enough")
    return 0 if near and not far else 1
