"""How many cores there are for this process, and how many processes it may begin."""

import os

from simulators.inputs.errors import InputError


def usable_cores() -> int:
    """Cores that this process may use; all of the machine where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_workers(workers: int) -> None:
    """Raise InputError for fewer processes than one."""
    if workers < 1:
        raise InputError(f"--workers {workers}: it must be at least 1")


def processes(workers: int | None) -> int:
    """So many processes, one a core where nothing is said. Raises InputError for fewer than one."""
    if workers is None:
        return usable_cores()
    check_workers(workers)
    return workers
