"""A user's text where it would be read as more than text: one function for each place.

Names of files, layers, specs, experiments and plugins, and whatever an error quotes, may hold any characters. A
terminal takes some of them as commands, a spreadsheet as formulas, a page as tags, a shell as programs. What goes to
such a place passes one of these functions; consoles (`simulators.inputs.terminal`) and CSV
(`simulators.inputs.csv_text`) see to that for all that they are given.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from html import escape

_FORMULA = re.compile(r"(^|;)(\s*[=+\-@＝＋－＠])")


def visible(text: str) -> str:
    """One line in which every character is seen: those that are not printable (C0 and C1 controls, ESC among them, line
    breaks, bidirectional and zero-width controls, lone surrogates) stand as Python's escapes, `\\x1b`. What is visible
    already stays as it is."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def spreadsheet_cell(text: str) -> str:
    """A visible text that no spreadsheet computes: where it begins with `=`, `+`, `-` or `@`, at its start or behind a
    semicolon (some read that as the next cell), an apostrophe stands before it.

    Source: OWASP, CSV Injection.
    """
    return _FORMULA.sub(r"\1'\2", visible(text))


def picture_text(text: str) -> str:
    """A visible text for matplotlib, which leaves out of legends what begins with an underscore: a hair space stands
    before that. (Mathematics is off: see `simulators.views.drawing`.)"""
    return f"\u200a{visible(text)}" if text.startswith("_") else visible(text)


def page_text(text: str) -> str:
    """A visible text inside an HTML element or a quoted attribute."""
    return escape(visible(text))


def shell_word(text: str) -> str:
    """One word of a command that can be copied into a shell, on one line.

    Quoted where it must be; what is not printable stands as octal bytes inside `$'…'` (POSIX.1-2024; bash, zsh, ksh),
    for pasted control characters reach a terminal before its shell.
    """
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_in_dollar_quotes, text))}'"


def shell_command(words: Iterable[str]) -> str:
    """The words of a command with a space between them."""
    return " ".join(map(shell_word, words))


def _in_dollar_quotes(char: str) -> str:
    if char.isprintable():
        return f"\\{char}" if char in "\\'" else char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))
