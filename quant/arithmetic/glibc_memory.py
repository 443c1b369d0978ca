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

from simulators.inputs.cores import usable_cores

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


def usable_memory_bytes(root: Path = Path("/")) -> int:
    """This process's part of the machine's memory, or of its control group's where that has less: as large as its part
    of the cores, for processes with fewer threads than there are cores have others beside them. `root` is that of the
    file system that tells of control groups."""
    whole = min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_group_limits(root)])
    cores = usable_cores()
    return whole * min(torch.get_num_threads(), cores) // cores


def _group_limits(root: Path) -> list[int]:
    """Bytes that control groups of either version allow this process's and those above it (cgroups(7))."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    limits = []
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            mount, file = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            mount, file = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = mount / name.lstrip("/")
        for folder in (group, *group.parents):
            try:
                limits.append(int((folder / file).read_text()))
            except (OSError, ValueError):  # none there, or "max"
                continue
    return limits
