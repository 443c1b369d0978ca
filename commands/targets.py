"""What commands write: a file that is checked before anything is computed, or standard output."""

import os
import sys
from pathlib import Path

from simulators.errors import InputError
from simulators.files import write_whole


def check(target: str | None, protect: str) -> None:
    """Before anything is computed: one file that cannot be written leaves none of the others."""
    if target is None or target == "-":
        return
    path = Path(target)
    if os.path.isdir(path):
        raise InputError(f"{target}: it is a folder, and a file is wanted")
    if os.path.exists(path) and path.resolve() == Path(protect).resolve():
        raise InputError(f"{target}: the report would overwrite the trace")
    if not os.path.isdir(path.parent):
        raise InputError(f"{target}: cannot be written: there is no folder {path.parent}")


def write(target: str, text: str, protect: str) -> None:
    if target == "-":
        sys.stdout.write(text)
        return
    check(target, protect)
    try:
        write_whole(Path(target), text.encode())
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None
