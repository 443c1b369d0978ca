"""What commands write: a file, or standard output."""

import sys
from pathlib import Path

from simulators.inputs.files import write_output
from simulators.inputs.terminal import check_spelling


def write(target: str, text: str) -> None:
    """To the file, or to standard output for `-`. Raises InputError where it cannot be written."""
    if target == "-":
        check_spelling(text)
        sys.stdout.write(text)
    else:
        write_output(Path(target), text.encode())
