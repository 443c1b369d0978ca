"""Folders that one process at a time works in."""

import errno
import fcntl
import os
import stat
from pathlib import Path

from simulators.inputs.closing import Closing
from simulators.inputs.errors import InputError

LOCK_FILE = ".lock"
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""What `flock` says on a file system that has no locks."""


class FolderLock(Closing):
    """A folder's lock, held from its making until it is closed, or until this process and those that inherited its
    descriptor end, however they do."""

    def __init__(self, folder: Path, wait: bool, otherwise: str):
        """`wait` for another process, or raise BlockingIOError; `otherwise` says what to do where there are no locks.
        Raises InputError where the lock cannot be had, and PermissionError and the like where no file can be made."""
        path = folder / LOCK_FILE
        # What lies there under this name is not followed, emptied or waited for.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self.descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise
            raise InputError(f"{path}: it is no file, and the lock of the folder is wanted") from None
        try:
            if not stat.S_ISREG(os.fstat(self.descriptor).st_mode):
                raise InputError(f"{path}: it is no file, and the lock of the folder is wanted")
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            os.close(self.descriptor)
            if error.errno not in NO_LOCKS:
                raise
            raise InputError(f"{folder}: its file system has no locks ({error.strerror}): {otherwise}") from None
        except BaseException:
            os.close(self.descriptor)
            raise

    def close(self) -> None:
        """Let others work in the folder."""
        os.close(self.descriptor)
