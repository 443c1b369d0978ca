"""A population on many architectures, in several processes. Those that share segments and passages go to the same."""

from __future__ import annotations

import gc
import os
import threading
from collections import deque
from collections.abc import Generator, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context, parent_process

from simulators.hardware.arch import Arch
from simulators.run.population import Figures, Population
from simulators.run.simulation import shared_key

AT_ONCE = 2
"""Architectures that a process is given ahead of what it is busy with, and that one included."""


def on_all(population: Population, archs: Sequence[Arch], workers: int) -> Generator[tuple[int, Figures], None, None]:
    """(position, figures) of every architecture, in the order of completion; `workers` 1: in this process."""
    alike: dict[tuple[str, Hashable], deque[int]] = {}
    for i, arch in enumerate(archs):
        alike.setdefault((arch.platform, shared_key(arch)), deque()).append(i)
    waiting = deque(alike.values())
    if workers <= 1 or len(archs) == 1:
        for group in waiting:
            for i in group:
                yield i, population.on(archs[i])
        return
    context = get_context("spawn")  # a model's threads do not survive a fork
    pools = [ProcessPoolExecutor(1, context, _begin, (population,)) for _ in range(min(workers, len(archs)))]
    mine: list[deque[int]] = [deque() for _ in pools]
    running: dict[Future[Figures], tuple[int, int]] = {}

    def give(worker: int) -> None:
        if not mine[worker]:
            mine[worker] = waiting.popleft() if waiting else _half_of(max(mine, key=len))
        if mine[worker]:
            i = mine[worker].popleft()
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
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _half_of(group: deque[int]) -> deque[int]:
    """Taken from its end."""
    return deque(group.pop() for _ in range(len(group) // 2))


_population: Population | None = None
"""Of a worker process."""


def _begin(population: Population) -> None:
    global _population
    _population = population
    # What is there stays, and most of what comes; looking through that as often as Python does took a tenth of all.
    gc.freeze()
    gc.set_threshold(100_000)
    parent = parent_process()
    if parent is not None:  # a killed parent does not leave its workers waiting

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _do(arch: Arch) -> Figures:
    assert _population is not None
    return _population.on(arch)
