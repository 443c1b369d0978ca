"""Things by name that people may add to: what is built in, what installed packages offer as entry points, and what
plugin files register.

Nothing is imported before it is asked for, so that a name costs nothing. What is built in is named by strings, as entry
points are: a registry lies below all that it names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from typing import Generic, TypeVar

from simulators.inputs import plugins
from simulators.inputs.errors import InputError

Thing = TypeVar("Thing")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")


class Registry(Generic[Thing]):
    """Things of one kind by name."""

    def __init__(self, kind: str, group: str, built_in: Mapping[str, str], check: Callable[[str, object], Thing]):
        """`kind` is what messages call such a thing; `group` the entry points' group; `built_in` has `module:attribute`
        by name. `check` gets a name and what is found under it, and returns that or raises InputError."""
        self.kind, self.group = kind, group
        self._built_in = dict(built_in)
        self._check = check
        self._registered: dict[str, Thing] = {}
        self._loaded: dict[str, Thing] = {}
        self._lock = RLock()

    def register(self, name: str, thing: Thing) -> None:
        """Make a thing known under a name. Raises InputError for a name that cannot be, or that is in use."""
        thing = self._check(name, thing)
        if not _NAME.fullmatch(name):
            raise InputError(f"{self.kind} {name!r}: a name is of a-z, 0-9, `_`, `-` and `.`")
        with self._lock:
            taken = self._taken(name)
            if taken:
                raise InputError(f"{self.kind} {name!r}: {taken}")
            self._registered[name] = thing

    def names(self) -> list[str]:
        """All names: what is built in first, in its order, then the others in theirs."""
        plugins.load_from_environment()
        with self._lock:
            registered = [*self._registered]
        others = sorted({*self._entry_points, *registered} - {*self._built_in})
        return [*self._built_in, *others]

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Thing:
        """The thing of a name. Raises InputError that says which there are, or why it cannot be loaded."""
        plugins.load_from_environment()
        with self._lock:
            thing = self._registered.get(name, self._loaded.get(name))
        if thing is not None:
            return thing
        thing = self._check(name, self._load(name))  # without the lock: what is imported may register things
        with self._lock:
            return self._loaded.setdefault(name, thing)

    def unknown(self, name: str) -> str:
        """What to say of a name that there is not: the nearest, or all."""
        near = difflib.get_close_matches(name, self.names(), 1, 0.6)
        return f"did you mean {near[0]}?" if near else f"it must be one of {', '.join(self.names())}"

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def _load(self, name: str) -> object:
        if name in self._built_in:
            module, _, attribute = self._built_in[name].partition(":")
            return getattr(import_module(module), attribute)
        point = self._entry_points.get(name)
        if point is None:
            raise InputError(f"{self.kind} {name!r}: {self.unknown(name)}")
        try:
            return point.load()
        except Exception as error:
            raise InputError(
                f"{self.kind} {name}: the entry point {point.value} cannot be loaded: {type(error).__name__}: "
                f"{' '.join(str(error).split())}"
            ) from None

    def _taken(self, name: str) -> str:
        """Why a name is in use, or nothing."""
        if name in self._built_in:
            return "it is built in already"
        if name in self._entry_points:
            return f"the entry point {self._entry_points[name].value} has that name already"
        thing = self._registered.get(name)
        return "" if thing is None else f"it is registered already, by {type(thing).__module__}"


def instance_of(kind: str, expected: type[Thing]) -> Callable[[str, object], Thing]:
    """A check that a thing is an instance of a class."""

    def check(name: str, thing: object) -> Thing:
        if not isinstance(thing, expected):
            where = f"{expected.__module__}.{expected.__qualname__}"
            raise InputError(f"{kind} {name}: {type(thing).__name__}: it must be an instance of {where}")
        return thing

    return check
