"""Where a value stands, so that an error can say so: in a file by line and column, or under the keys of a document that
was read before.

An experiment's keys are checked when its file is read, but what they name (a spec's keys, a model's sites, another run)
is met later, by code that knows the key and not the file. That code raises a `KeyedError`; whoever has the document
adds the file, line and column (`Document.placed`). Without a document the message begins with the key.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from simulators.inputs.errors import InputError

SHOWN, MOST_OF_KEY = 60, 200
"""Characters of a value, and of the path of a key, in a message."""

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the document's root to a value."""

Position = tuple[str, int, int]
"""File, line and column from 1. Line 0: an option of the command line, which is itself the name of the key."""


@dataclass(frozen=True)
class Elsewhere:
    """A place in another document, by the key there: what an experiment changes in a spec stands in the experiment."""

    key: KeyPath
    """What names the key of the spec."""
    value: KeyPath
    """What gives its value."""
    shown: str = ""
    """The change as it is written there, where the keys do not say it."""


Place = Position | Elsewhere


class KeyedError(InputError):
    """Bad input under a key, of whichever document that is of."""

    def __init__(self, key: KeyPath, rule: str) -> None:
        super().__init__(key, rule)  # as arguments, for it travels from other processes
        self.key, self.rule = key, rule

    def __str__(self) -> str:
        return f"{dotted(self.key)}: {self.rule}"


@contextmanager
def _names_of_files() -> Iterator[None]:
    """A name that is too long for a file is bad input; other errors of the system stay what they are."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InputError(f"{shown(error.filename)}: {error.strerror}") from None


@contextmanager
def under(*key: str | int) -> Iterator[None]:
    """What is found to be wrong inside is so under this key, a name that no file can have included."""
    try:
        with _names_of_files():
            yield
    except KeyedError as error:
        raise KeyedError((*key, *error.key), error.rule) from None
    except InputError as error:
        raise KeyedError(key, str(error)) from None


@contextmanager
def or_else_under(*key: str | int, about: str = "") -> Iterator[None]:
    """What is found to be wrong inside, and names no key itself, is so under this one; `about`: what the rule begins
    with."""
    try:
        with _names_of_files():
            yield
    except KeyedError:
        raise
    except InputError as error:
        raise KeyedError(key, f"{about}{error}") from None


@dataclass(frozen=True)
class Document:
    """A parsed file: plain data, and where each value stands."""

    source: str
    """The file as the user named it; the first part of every message."""
    data: Any
    """Dictionaries, lists, strings, numbers, booleans and None."""
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def error(self, path: KeyPath, text: str, of_key: bool = False) -> InputError:
        """The error for the value at `path`, or for its key, or at its nearest enclosing value that has a place."""
        place, inside = self.place(path)
        if isinstance(place, Elsewhere):
            key = place.key if of_key and not inside else (*place.value, *inside)
            return KeyedError(key, f"{place.shown}: {text}" if place.shown else text)
        source, line, column = place
        if line == 0 and not inside:
            return InputError(f"{source}: {text}")
        where, key_text = f"{source}:{line}:{column}" if line else source, dotted(path)
        if len(key_text) > MOST_OF_KEY:
            key_text = f"{key_text[:MOST_OF_KEY]}..."
        return InputError(f"{where}: {key_text}: {text}" if key_text else f"{where}: {text}")

    def place(self, path: KeyPath) -> tuple[Place, KeyPath]:
        """Where the value at `path` stands, or the nearest enclosing value that has a place, and the keys inside it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]], path[end:]
        return (self.source, 0, 0), path

    def placed(self, error: KeyedError) -> InputError:
        """An error that was found later, with the place of its key here. The key may count a list's entries where the
        file has one value that needs no list."""
        path: KeyPath = ()
        data = self.data
        for part in error.key:
            if isinstance(data, dict) and isinstance(part, str):
                path, data = (*path, part), data.get(part, {})
            elif isinstance(data, list) and part in range(len(data)):
                path, data = (*path, part), data[part]  # type: ignore[index]
        return self.error(path, error.rule)


def dotted(path: KeyPath) -> str:
    """`("layers", 3, "name")` → `layers[3].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: Any) -> str:
    """A value for a message: short, on one line. Of a long one no more is looked at: an alias may repeat it without
    end."""
    text, pieces = "", _pieces(value)
    while len(text) <= SHOWN and (piece := next(pieces, None)) is not None:
        text = f"{text}{piece}"
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _pieces(value: Any) -> Iterator[str]:
    """What `repr` gives, piece by piece."""
    if isinstance(value, dict):
        yield "{"
        for i, (key, inner) in enumerate(value.items()):
            yield f"{', ' if i else ''}{shown(key)}: "
            yield from _pieces(inner)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for i, inner in enumerate(value):
            yield ", " if i else ""
            yield from _pieces(inner)
        yield "]"
    elif isinstance(value, str):
        yield repr(value) if len(value) <= SHOWN else repr(value[: 2 * SHOWN])
    else:
        yield repr(value)
