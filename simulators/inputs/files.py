"""Files that are whole or absent, and the folders that they lie in."""

import errno
import os
import stat
import sys
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from simulators.inputs.errors import InputError

_MOST_LINKS = 40
"""Links in a row, as Linux follows them."""


def resolved(name: str | Path) -> Path:
    """The absolute path of a name, behind all links. Raises InputError for a name that no file can have."""
    try:
        return Path(os.path.realpath(name))
    except ValueError as error:  # a NUL
        raise InputError(f"{name}: no name of a file: {error}") from None


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
    if str(target).endswith("/") or os.path.isdir(target):
        raise InputError(f"{target}: it is a folder, and a file is wanted")
    folder = Path(os.path.realpath(target) if os.path.islink(target) else target).parent
    if not os.path.isdir(folder):
        raise InputError(f"{target}: cannot be written: there is no folder {folder}")
    with _reported(target):
        for path in (folder, target) if _is_replaced(Path(target)) else ():
            if os.path.exists(path) and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, f"no right to write to {path}")


def check_targets(targets: Mapping[str, str | Path | None], inputs: Mapping[str, str | Path | None]) -> None:
    """`check_target` for what each option names, where `-` is standard output: one that cannot be written leaves none
    of the others. No two may write to one place, whatever each calls it, and none to a file that is read: `inputs` by
    what they are, of which those that are no files are passed over."""
    options: dict[Hashable, str] = {}
    read = {_place(name): what for what, name in inputs.items() if name is not None and os.path.exists(name)}
    for option, target in targets.items():
        if target is None:
            continue
        if target != "-":
            check_target(target)
        place = _place("/dev/stdout" if target == "-" else target)
        if place in read:
            raise InputError(f"{option} {target}: it would overwrite {read[place]}")
        if place in options:
            where = "standard output" if target == "-" else target
            raise InputError(f"{options[place]} and {option}: both would write to {where}")
        options[place] = option


def _place(name: str | Path) -> Hashable:
    """What tells a file from others, however it is called: by links, or from another folder."""
    try:
        found = os.stat(name)
        return found.st_dev, found.st_ino
    except OSError:  # not there yet
        return os.path.realpath(name)


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


def write_whole(path: Path, content: bytes, durable: bool = True) -> None:
    """Write a file of a command's own folder by a temporary neighbour and a rename, so that a kill at any moment leaves
    the former file or the new one; `durable`: a crash of the machine too. The temporary file is hidden, and nothing
    reads it.

    A file keeps its permissions, and a new one has those that the umask leaves. A link of that name is not followed: it
    makes room, whoever laid it there. Raises InputError where the file cannot be written.
    """
    with _reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        former = path.lstat() if os.path.lexists(path) else None
        part = path.with_name(f".{os.urandom(8).hex()}.part")  # no longer for a long name
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                if former is not None and stat.S_ISREG(former.st_mode):
                    os.fchmod(handle, former.st_mode & 0o777)
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(handle)
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def write_output(path: Path, content: bytes) -> None:
    """Write what a user has named. A link stays, and the file that it points to is written, as `write_whole` does. What
    is no file (a device, a FIFO, one of this process's own descriptors as `/dev/stdout` is) is written to, not
    replaced. Raises InputError where that cannot be, as `check_target` does."""
    check_target(path)
    with _reported(path):
        if not _is_replaced(path):
            with _opened(path) as stream:
                stream.write(content)
            return
    write_whole(resolved(path), content)


def make_room(path: Path) -> None:
    """Before `write_output` writes a file of a command's own folder: a link, FIFO or device of that name, whoever laid
    it there, is taken away, as `write_whole` does."""
    with _reported(path):
        if os.path.lexists(path) and not (stat.S_ISREG(mode := path.lstat().st_mode) or stat.S_ISDIR(mode)):
            path.unlink()


def _is_replaced(path: Path) -> bool:
    """Whether a file of this name is replaced by a new one, if there is one: what is no file is written to."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and _descriptor(path) is None
    except FileNotFoundError:
        return True


def _opened(path: Path) -> BinaryIO:
    """What is no file, opened as it is found."""
    number = _descriptor(path)
    if number is None:
        return os.fdopen(os.open(path, os.O_WRONLY), "wb")
    sys.stdout.flush()  # what was printed stands before
    sys.stderr.flush()
    return os.fdopen(os.dup(number), "wb")


def _descriptor(path: Path) -> int | None:
    """The number of the descriptor that a name stands for: 1 for `/dev/stdout`, which may be a file behind it."""
    name = os.path.abspath(path)
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(name))
        if (
            folder in (os.path.realpath("/dev/fd"), os.path.realpath("/proc/self/fd"))
            and os.path.basename(name).isdigit()
        ):
            return int(os.path.basename(name))
        if not os.path.islink(name):
            return None
        name = os.path.join(folder, os.readlink(name))
    return None


@contextmanager
def _reported(path: str | Path) -> Iterator[None]:
    """One line for what a user can mend: a full disk, a folder without rights, a name that is too long."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
