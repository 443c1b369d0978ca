"""Keep freed memory: without this a training step spends most of its time in page faults.

Every batch allocates and frees the same few hundred megabytes. glibc hands blocks of that size back to the kernel at
once, and the kernel zeroes them again page by page. Raising two thresholds keeps them in the process
(`benchmarks/recurrence.py` measures it).
"""

import ctypes
import sys

# Parameter numbers of mallopt(3), from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep up to 2 GiB of freed memory. False, and no effect, where the C library is
    another one."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = {_M_ARENA_MAX: 1, _M_MMAP_THRESHOLD: 1 << 30, _M_TRIM_THRESHOLD: (1 << 31) - 1, _M_TOP_PAD: 64 << 20}
    return all(mallopt(key, value) == 1 for key, value in settings.items())
