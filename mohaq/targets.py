"""What commands write: a file that is checked before anything is computed, or standard output."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from simulators.inputs.errors import InputError
from simulators.inputs.files import check_target, write_whole
from simulators.inputs.terminal import check_spelling


def check(target: str | None, trace: str | None = None) -> None:
    """Before anything is computed: one file that cannot be written leaves none of the others. None may be the trace."""
    if target is None or target == "-":
        return
    check_target(target)
    if trace is not None and os.path.exists(target) and Path(target).resolve() == Path(trace).resolve():
        raise InputError(f"{target}: the report would overwrite the trace")


def check_all(targets: Mapping[str, str | None], trace: str | None = None) -> None:
    """`check` what each option of a command names; no two may write to one place."""
    places: dict[str, str] = {}
    for option, target in targets.items():
        check(target, trace)
        if target is None:
            continue
        place = target if target == "-" else os.path.realpath(target)
        if place in places:
            where = "standard output" if target == "-" else target
            raise InputError(f"{places[place]} and {option}: both would write to {where}")
        places[place] = option


def write(target: str, text: str, trace: str | None = None) -> None:
    """To the file, or to standard output for `-`. Raises InputError as `check` does."""
    if target == "-":
        check_spelling(text)
        sys.stdout.write(text)
        return
    check(target, trace)
    try:
        write_whole(Path(target), text.encode())
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None
