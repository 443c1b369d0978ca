"""Files that are whole or absent, and the folders that they lie in."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators.inputs.errors import InputError


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, if there is none. Raises InputError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        file = next((p for p in (folder, *folder.parents) if os.path.exists(p) and not os.path.isdir(p)), None)
        if file is None:
            raise InputError(f"{folder}: this folder cannot be made: {error.strerror}") from None
        is_one = "it is a file" if file == folder else f"{file} is a file"
        raise InputError(f"{folder}: {is_one}, and a folder is wanted") from None


def check_target(target: str | Path) -> None:
    """Before anything is computed: raise InputError where no file of this name can be written."""
    if not str(target):
        raise InputError("'': the name is empty, and a file is wanted")
    if os.path.isdir(target):
        raise InputError(f"{target}: it is a folder, and a file is wanted")
    folder = Path(target).parent
    if not os.path.isdir(folder):
        raise InputError(f"{target}: cannot be written: there is no folder {folder}")


@contextmanager
def with_folder(folder: Path) -> Iterator[None]:
    """`make_folder` for what is done inside; what was made is taken away again if an error ends that before anything
    lies there."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        yield
    except BaseException:
        for path in new:
            try:
                path.rmdir()
            except OSError:  # not empty
                break
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write by a temporary neighbour and a rename, so that a kill at any moment leaves the former file or the new
    one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
