"""Terminals: consoles on which a text is nothing but text, and standard streams that take any of it."""

from __future__ import annotations

import codecs
import locale
import os
import sys
from io import TextIOWrapper
from typing import IO, Any

from rich.console import Console
from rich.measure import Measurement
from rich.progress import ProgressColumn, Task
from rich.table import Table
from rich.text import Text

from simulators.inputs.errors import InputError
from simulators.inputs.escapes import visible

ASCII = str.maketrans("µμ×²†…–—→←↓↑≤≥●│─", "uux2+~--><v^<>*|-")
"""What stands for the characters of our own that a terminal may lack, each as wide as what it stands for."""
FOLDED_WIDTH = 12
"""Columns of a terminal that a column of folded text has at least."""
CLOSE = (0, 1, 0, 0)
"""Rich's padding of cells where a table is wider than the terminal: above, right, below, left."""


class Terminal(Console):
    """A console that shows every string as it is, on one line: without markup, pictures (`:100:`) or highlighting, with
    escapes for what is not printable, and for what the stream's encoding has not.

    A `rich.text.Text` is shown as its maker wants it: `lines` makes one of several lines.
    """

    def __init__(
        self, file: IO[str] | None = None, stderr: bool = False, width: int | None = None, quiet: bool = False
    ):
        super().__init__(file=file, stderr=stderr, width=width, quiet=quiet, emoji=False, markup=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """What Rich makes of every string that it is given: to print, as a cell, a heading or a title."""
        return super().render_str(spelt(visible(text), self.encoding), **options)

    def say(self, text: str, style: str = "") -> None:
        """One line, which the terminal itself folds where it is longer."""
        self.print(text, style=style, soft_wrap=True)

    def tell(self, text: str) -> None:
        """Words, folded between them on a terminal; what is no terminal has them on one line. What may be copied, as
        commands and names of files, is for `say`."""
        self.print(text, soft_wrap=not self.is_terminal)

    def lines(self, *lines: str) -> Text:
        """A text of several lines, for a cell or a heading."""
        return Text("\n").join(map(self.render_str, lines))

    def show(self, table: Table) -> None:
        """A table of which nothing is cut: texts are folded, and the terminal itself folds lines where it is narrower
        than the figures and FOLDED_WIDTH of each text."""
        for column in table.columns:
            column.overflow = "fold"
        least = self._least_width(table)
        if least > self.width:
            table.padding = CLOSE
            least = self._least_width(table)
        if least > self.width:
            table.width = least
        self.print(table, crop=False)

    def _least_width(self, table: Table) -> int:
        """Columns of the terminal that a table needs, those between and around its own included."""
        width = len(table.columns) + 1
        for column in table.columns:
            cells = [*column.cells, column.header]
            measured = [Measurement.get(self, self.options.update(width=1000), cell) for cell in cells]
            widest = max(m.maximum if column.no_wrap else min(m.minimum, FOLDED_WIDTH) for m in measured)
            width += max(widest, column.min_width or 0) + sum(table.padding[1::2])
        return width


class DescriptionColumn(ProgressColumn):
    """What a task of a progress bar is called, as text."""

    def render(self, task: Task) -> Text:
        """The description, made visible."""
        return Text(visible(task.description), overflow="ellipsis", no_wrap=True)


def spelt(text: str, encoding: str) -> str:
    """The text in characters that an encoding has: ours by what resembles them, others as escapes."""
    return text if encoding.startswith("utf") else text.encode(encoding, ERRORS).decode(encoding)


def _spell_error(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return lost.translate(ASCII).encode("ascii", "backslashreplace").decode(), error.end


ERRORS = "mohaq.spelt"
"""The name of the codec error handler that spells what an encoding has not."""
codecs.register_error(ERRORS, _spell_error)


def open_streams() -> None:
    """Prepare the standard streams: what an encoding has not is spelt, and the C locale has ASCII, unless PYTHONUTF8 or
    PYTHONIOENCODING say otherwise. Raises InputError where standard output is closed.

    A closed stream's number is taken, for what is opened next (a ledger) would get it, and the words of a C library.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (as long as the process)
    own = any(name in os.environ for name in ("PYTHONUTF8", "PYTHONIOENCODING"))
    plain = not own and codecs.lookup(locale.getencoding()).name == "ascii"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="ascii" if plain else None, errors=ERRORS)
    if sys.stdout is None:
        raise InputError("standard output is closed, and there the results go")


def flush_output() -> None:
    """Have standard output written. Raises BrokenPipeError where its reader has gone, InputError where it cannot be."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        raise
    except OSError as error:
        drop_output()
        raise InputError(f"standard output: cannot be written: {error.strerror}") from None


def drop_output() -> None:
    """Let what standard output still holds go nowhere: the interpreter would fail at it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_spelling(text: str) -> None:
    """Raise InputError where data for a program cannot go to standard output as it is."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        lost = visible(error.object[error.start : error.end])[:40]
        raise InputError(
            f"standard output: {encoding} has no {lost!r}: name a file, or set PYTHONIOENCODING=utf-8"
        ) from None
