"""Arrays in `.npz` files, measured by what their headers say before any is read: a hundred kilobytes of zeros, packed,
may claim to be a gigabyte.

The format is NumPy's (`numpy.lib.format`): a ZIP archive of `NAME.npy` members, each a header with type and shape, then
the elements. Objects, which pickle would make, are refused, as is a member that is not as long as its header says.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.bounded_files import open_file
from simulators.inputs.closing import Closing
from simulators.inputs.errors import InputError

MOST_MEMBERS = 20_000
KINDS = {"b": "booleans", "i": "whole numbers", "u": "whole numbers", "f": "numbers", "U": "texts", "S": "bytes"}
"""Kinds of NumPy types that are read."""


@dataclass(frozen=True)
class ArrayHeader:
    """What a file says of an array before it is read."""

    shape: tuple[int, ...]
    """Elements along each axis."""
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Size of the elements."""
        return prod(self.shape) * self.dtype.itemsize


class ArrayFile(Closing):
    """An open `.npz` file, a context. Raises InputError for a file that is none, and for arrays that are not as their
    headers say, objects, or together larger than `most` bytes."""

    def __init__(self, path: Path, most: int):
        self.path = path
        self._left = most
        self._file = open_file(path)
        try:
            with self._reporting():
                self._archive = zipfile.ZipFile(self._file)
                self._members = {info.filename.removesuffix(".npy"): info for info in self._archive.infolist()}
            if len(self._members) > MOST_MEMBERS:
                raise InputError(f"{path}: {len(self._members)} arrays: it may have at most {MOST_MEMBERS}")
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Read no more."""
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """Names of all arrays, in the file's order."""
        return list(self._members)

    def header(self, name: str) -> ArrayHeader:
        """What the file says of an array."""
        with self._reporting(name), self._opened(name) as member:
            return self._header(name, member)

    def read(self, name: str) -> NDArray[Any]:
        """An array."""
        with self._reporting(name), self._opened(name) as member:
            header = self._header(name, member)
            self._left -= header.bytes
            if self._left < 0:
                raise InputError(f"{self.path}: array {name[:60]}: {header.bytes:,} bytes are more than are read")
            data = member.read()
            if len(data) != header.bytes:
                raise ValueError(f"{len(data):,} bytes where its header says {header.bytes:,}")
            return np.frombuffer(data, header.dtype).reshape(header.shape)

    def _header(self, name: str, member: Any) -> ArrayHeader:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(member)
        elif version == (2, 0):
            shape, by_columns, dtype = np.lib.format.read_array_header_2_0(member)
        else:
            raise ValueError(f"format {version[0]}.{version[1]} of arrays")
        if by_columns and len(shape) > 1:
            raise ValueError("an array in Fortran's order")
        if dtype.kind not in KINDS or min(shape, default=0) < 0:
            raise ValueError(f"{dtype} of shape {shape}: expected numbers or texts")
        header = ArrayHeader(shape, dtype)
        size = self._members[name].file_size
        if not 0 < size - header.bytes <= 1 << 16:  # the header is of some kilobytes
            raise ValueError(f"{size:,} bytes where its header says {header.bytes:,}")
        return header

    def _opened(self, name: str) -> Any:
        if name not in self._members:
            raise InputError(f"{self.path}: it holds no array {name[:60]}")
        return self._archive.open(self._members[name])

    @contextmanager
    def _reporting(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # of whatever kind: zipfile and NumPy document none for a damaged file
            what = f"array {name[:60]}: " if name else ""
            told = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"{self.path}: {what}not as an .npz file holds it: {told}") from None


@dataclass(frozen=True)
class Expected:
    """What an array must be."""

    kinds: str
    """Letters of KINDS."""
    axis: str = ""
    """Its one axis, by a name: arrays of the same are equally long. Empty: a single value."""


def read_arrays(path: Path, expected: Mapping[str, Expected], most: int) -> dict[str, NDArray[Any]]:
    """Arrays that must be there, of these kinds, equally long where they have the same axis; others are not read.
    Raises InputError as `ArrayFile` does."""
    lengths: dict[str, tuple[int, str]] = {}
    read: dict[str, NDArray[Any]] = {}
    with ArrayFile(path, most) as file:
        for name, wanted in expected.items():
            header = file.header(name)
            if header.dtype.kind not in wanted.kinds or len(header.shape) != bool(wanted.axis):
                shape = f"{KINDS[wanted.kinds[0]]} along one axis" if wanted.axis else "a single value"
                raise InputError(f"{path}: array {name}: {header.dtype} of shape {header.shape}: expected {shape}")
            if wanted.axis:
                length, other = lengths.setdefault(wanted.axis, (header.shape[0], name))
                if header.shape[0] != length:
                    raise InputError(f"{path}: array {name}: {header.shape[0]} values where {other} has {length}")
            read[name] = file.read(name)
    return read
