"""Files that others may have written: looked at before they are opened, and measured before they are read.

A FIFO would be waited for, a device has no end, and a folder is none. Whatever is not part of the installation is read
through this module or what stands on it: `documents` (YAML), `json_files`, `arrays` (.npz) and
`quant.files.tensor_files` (.safetensors).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from simulators.inputs.errors import InputError

KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)  # fmt: skip
"""What stands under a name that is no file's."""


def read_bytes(path: Path, most: int) -> bytes:
    """All of a file. Raises InputError where there is none, where it cannot be read, or where it has more bytes than
    `most`."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= most:
            try:
                data = file.read(most + 1)  # a file of the kernel's has more than its size says
            except OSError as error:
                raise InputError(f"{path}: cannot be read: {error.strerror}") from None
            if len(data) <= most:
                return data
            size = len(data)
    raise InputError(f"{path}: {size:,} bytes or more: it may have at most {most:,}")


def read_text(path: Path, most: int) -> str:
    """All of a UTF-8 text. Raises InputError as `read_bytes` does, and where it is not UTF-8."""
    try:
        return read_bytes(path, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start}: not UTF-8 text") from None


def open_file(path: Path) -> BinaryIO:
    """A file that is open for reading. Raises InputError where there is none, or something else, which is not
    opened."""
    try:
        _check(path, os.stat(path).st_mode)
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check(path, os.fstat(handle).st_mode)  # it may have become another since
        except BaseException:
            os.close(handle)
            raise
        return open(handle, "rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in its name
        raise error if isinstance(error, InputError) else InputError(f"{str(path)!r}: {error}") from None


def beside(path: Path, name: str) -> Path:
    """The file of this name in the folder of another that names it. Raises InputError for one that lies elsewhere: a
    file from others may not lead to those of one's own."""
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise InputError(f"expected the name of a file beside {path.name}, without a folder")
    return path.parent / name


def _check(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in KINDS if is_kind(mode)), "something else")
        raise InputError(f"{path}: it is {kind}, and a file is wanted")
