"""Where the shipped architecture specs and traces lie, in a checkout and in an installed package, and how a name
finds one.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from simulators.inputs.errors import InputError

KINDS = ("arch_specs", "traces")
SUFFIXES = (".yaml", ".yml", ".json")


def folder(kind: str) -> Path:
    """The folder of shipped files of a kind: beside the packages in a checkout, inside this package when installed."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: expected one of {KINDS}")
    return data_folder(kind, Path(__file__).resolve().parents[1])


def data_folder(kind: str, package: Path) -> Path:
    """A top-level folder of data, which travels inside the package that reads it."""
    beside, inside = package.parent / kind, package / kind
    return inside if inside.is_dir() else beside


def names(kind: str) -> list[str]:
    """The names of all shipped files of a kind, without their suffix, in order."""
    return sorted(path.stem for path in folder(kind).iterdir() if path.suffix in SUFFIXES)


def find(kind: str, name: str) -> Path:
    """The file meant by a user: a path that exists, or the name of a shipped file from any folder.

    Raises InputError, with the nearest shipped names, when there is no such file.
    """
    path = Path(name)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError) as error:
        raise InputError(f"{name!r}: not a usable file name ({error})") from None
    candidates = [path.name] if path.suffix in SUFFIXES else [path.name + suffix for suffix in SUFFIXES]
    # A path that leads somewhere else is not silently replaced by a shipped file, except the checkout's own `traces/…`.
    if path.parent == Path(".") or path.parent == Path(kind):
        for candidate in candidates:
            shipped = folder(kind) / candidate
            if shipped.is_file():
                return shipped
    what = "architecture spec" if kind == "arch_specs" else "trace"
    if path.is_dir() and name:
        raise InputError(f"{name}: it is a folder, and the file of a{'n' if what[0] == 'a' else ''} {what} is wanted")
    other = next(other for other in KINDS if other != kind)
    if name in names(other):
        was = "a trace" if kind == "arch_specs" else "an architecture spec"
        raise InputError(f"{name}: no such {what}: it is the name of {was}")
    near = difflib.get_close_matches(path.stem, names(kind), 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"shipped ones are {', '.join(names(kind))}"
    raise InputError(f"{name or repr(name)}: no such {what}: neither a file nor a shipped name; {hint}")
