"""Work on many architectures, in several processes. Architectures that share segments and timings go to the same."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol, TypeVar

from simulators.hardware.arch import Arch
from simulators.inputs.child_processes import shielded
from simulators.inputs.plugins import SentPlugins, loaded
from simulators.run.portions import Portions, alike

Made = TypeVar("Made", covariant=True)


class DoneOnEach(Protocol[Made]):
    """What is done on one architecture after the other, as candidates are simulated (`trace_batch.TraceBatch`). It goes
    to other processes."""

    def on(self, arch: Arch) -> Made:
        """What an architecture makes of it."""
        ...


AT_ONCE = 2
"""Architectures that a process is given ahead of what it is busy with, and that one included."""
RARELY = 100_000
"""New objects after which Python looks for garbage while variants are simulated. What is there stays, and most of what
comes; looking through that as often as Python does took a tenth to a sixth of all."""


def simulate_on_all(
    work: DoneOnEach[Made], archs: Sequence[Arch], workers: int
) -> Generator[tuple[int, Made], None, None]:
    """(position, what was made) of every architecture, in the order of completion; `workers` 1: in this process."""
    if workers <= 1 or len(archs) == 1:
        for group in alike(archs):
            for unit in group:
                for i in unit:
                    with rare_collections():
                        made = work.on(archs[i])
                    yield i, made
        return
    context = get_context("spawn")  # a model's threads do not survive a fork
    theirs, ours = context.Pipe(duplex=False)
    begin_with = SentPlugins(loaded()), work, theirs
    with shielded():  # semaphores of a pool begin what keeps account of them
        pools = [ProcessPoolExecutor(1, context, _begin, begin_with) for _ in range(min(workers, len(archs)))]
    portions = Portions(archs)
    running: dict[Future[Made], tuple[int, int]] = {}

    def give(worker: int) -> None:
        for i in portions.next_for(worker):
            with shielded():
                running[pools[worker].submit(_do, archs[i])] = worker, i

    try:
        for worker in [*range(len(pools))] * AT_ONCE:
            give(worker)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, i = running.pop(future)
                give(worker)
                yield i, future.result()
    finally:
        if running:  # the caller gave up
            ours.close()
        for pool in pools:
            pool.shutdown(cancel_futures=True)
        ours.close()
        theirs.close()


@contextmanager
def rare_collections() -> Iterator[None]:
    """Python looks for garbage as seldom as simulation wants it, and then as before."""
    before = gc.get_threshold()
    gc.set_threshold(RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)


_work: DoneOnEach[Any] | None = None
"""What a worker process does: it came with the process's beginning, and not with every architecture."""


def _begin(_: SentPlugins, work: DoneOnEach[Any], parent: Connection) -> None:
    """Begin a worker, which has the parent's plugins as they were there, whatever their files hold by now. It ends when
    the parent closes its end of a pipe, at work or not: a killed parent does not leave its workers waiting."""
    global _work
    _work = work
    gc.freeze()
    gc.set_threshold(RARELY)

    def follow() -> None:
        wait_for([parent])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _do(arch: Arch) -> Any:
    assert _work is not None
    return _work.on(arch)
