"""Processes that this one begins, and signals that are meant for this one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

SHIELDED = (signal.SIGINT, signal.SIGHUP)
"""What a terminal sends to all processes of a command. SIGTERM, which is meant for one, ends a worker still."""


@contextmanager
def shielded() -> Iterator[None]:
    """Processes and threads that are begun inside do not get SHIELDED, from their first moment on: it is for this
    process to end them, and to say so once. Signals that come meanwhile come after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SHIELDED)
    try:
        resource_tracker.ensure_running()  # which multiprocessing would begin, and takes SIGINT out of the mask
        signal.pthread_sigmask(signal.SIG_BLOCK, SHIELDED)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
