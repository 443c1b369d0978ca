"""Plugin files: Python that a user names on the command line (`--plugin FILE.py`) or in `MOHAQ_PLUGINS`, which
registers platforms, cells, objectives and methods of one's own. YAML never names code.

A file is run once in a process, as the module `mohaq_plugins.STEM_DIGEST`, so that what it defines can be pickled.
Processes that are started from here inherit the variable; machines elsewhere are sent the text (`Plugin`). What other
files it imports must be importable there: its own folder is searched here only.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from simulators.inputs.errors import InputError

VARIABLE = "MOHAQ_PLUGINS"
PACKAGE = "mohaq_plugins"
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Plugin:
    """A plugin file as it was read."""

    path: str
    """Absolute, on the machine where it was read."""
    text: str

    @property
    def digest(self) -> str:
        """sha256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def module(self) -> str:
        """The module's name, the same wherever the text is run."""
        return f"{PACKAGE}.{re.sub(r'[^0-9a-zA-Z]+', '_', Path(self.path).stem)}_{self.digest[:12]}"


_known: dict[str, Plugin] = {}
"""Plugins by the name of their module."""
_done: set[str] = set()
"""Paths of the environment that need not be looked at again."""


def load(paths: Iterable[str | Path]) -> list[Plugin]:
    """Run plugin files, those that were not run in this process before, and have processes that are started from here
    do so too. Raises InputError that names the file, and the line where it fails."""
    found = [_read(Path(path)) if str(path) else _unnamed() for path in paths]
    for plugin in found:
        run(plugin)
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys([*_in_environment(), *(plugin.path for plugin in found)]))
    return found


def load_from_environment() -> None:
    """Run the files of `MOHAQ_PLUGINS`, those that were not run before. Raises InputError."""
    for path in _in_environment():
        if path not in _done:
            # A process that was sent a plugin keeps that one, whatever its file holds by now.
            if os.path.realpath(path) not in {plugin.path for plugin in loaded()}:
                run(_read(Path(path)))
            _done.add(path)


def run(plugin: Plugin) -> ModuleType:
    """The module of a plugin, whose text is run if it was not before. Raises InputError."""
    _known[plugin.module] = plugin
    return import_module(plugin.module)


def loaded() -> tuple[Plugin, ...]:
    """All that were run in this process, in their order."""
    return tuple(plugin for module, plugin in _known.items() if module in sys.modules)


@dataclass(frozen=True)
class SentPlugins:
    """Plugins on their way to another process, where to unpickle them is to run them."""

    plugins: tuple[Plugin, ...]

    def __reduce__(self) -> tuple[Callable[..., SentPlugins], tuple[Any, ...]]:
        return _received, (self.plugins,)


def _received(sent: tuple[Plugin, ...]) -> SentPlugins:
    for plugin in sent:
        run(plugin)
    return SentPlugins(sent)


def text_of(module: str) -> str | None:
    """The text of a plugin's module; None of any other."""
    plugin = _known.get(module)
    return None if plugin is None else plugin.text


def _unnamed() -> Plugin:
    raise InputError("a plugin's name is empty: it is a Python file")


def _in_environment() -> list[str]:
    return [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]


def _read(path: Path) -> Plugin:
    try:
        if os.pathsep in os.path.realpath(path):
            raise InputError(f"{path}: `{os.pathsep}` stands between the names of {VARIABLE}: a plugin's has none")
        if not path.is_file():
            what = "it is a folder, and" if path.is_dir() else "no such file:"
            raise InputError(f"{path}: {what} a plugin is a Python file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes: a plugin has at most {MAX_BYTES}")
        return Plugin(os.path.realpath(path), path.read_bytes().decode())
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start}: not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise error if isinstance(error, InputError) else InputError(f"{path}: cannot be read: {error}") from None


def _execute(plugin: Plugin, module: ModuleType) -> None:
    try:
        code = compile(plugin.text, plugin.path, "exec")
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        raise InputError(f"{plugin.path}:{line}:{column}: {getattr(error, 'msg', None) or error}") from None
    folder = str(Path(plugin.path).parent)
    if folder not in sys.path:  # a file may import what lies beside it, also later
        sys.path.append(folder)
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == plugin.path]
        text = " ".join(str(error).split())
        what = text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
        raise InputError(f"{plugin.path}:{lines[-1] if lines else 1}: {what}") from None


class _TextLoader(Loader):
    """Runs a plugin's text as a module."""

    def __init__(self, plugin: Plugin):
        self._plugin = plugin

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._plugin.path
        _execute(self._plugin, module)

    def get_source(self, _: str) -> str:
        return self._plugin.text


class _Finder(MetaPathFinder):
    """Finds the modules of plugins: also for `pickle`, in a process that inherited `MOHAQ_PLUGINS`."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == PACKAGE:
            return ModuleSpec(PACKAGE, None, is_package=True)
        if not name.startswith(f"{PACKAGE}."):
            return None
        if name not in _known:
            for file in _in_environment():
                plugin = _read(Path(file))
                _known.setdefault(plugin.module, plugin)
        return spec_from_loader(name, _TextLoader(_known[name])) if name in _known else None


if not any(type(finder).__name__ == _Finder.__name__ for finder in sys.meta_path):
    sys.meta_path.append(_Finder())
