"""Memory: what this process may use, and keeping what it freed, without which a training step spends most of its time
in page faults.

Every batch allocates and frees the same few hundred megabytes. glibc hands blocks of that size back to the kernel at
once, and the kernel zeroes them again page by page. Raising two thresholds keeps them in the process
(`benchmarks/recurrence.py` measures it).
"""

import ctypes
import os
import sys
from pathlib import Path

import torch

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


def usable_memory_bytes() -> int:
    """This process's part of the machine's memory, or of its control group's where that has less: as large as its part
    of the cores, for processes with fewer threads than there are cores have others beside them."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in _group_limits():
        whole = min(whole, limit)
    return whole * min(torch.get_num_threads(), cores := os.cpu_count() or 1) // cores


def _group_limits() -> list[int]:
    """Bytes that control groups, version 2, allow this process's and those above it (cgroups(7))."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        if line.startswith("0::"):
            group = Path("/sys/fs/cgroup") / line.removeprefix("0::").lstrip("/")
            for folder in (group, *group.parents):
                try:
                    found.append(int((folder / "memory.max").read_text()))
                except (OSError, ValueError):  # none there, or "max"
                    continue
    return found
