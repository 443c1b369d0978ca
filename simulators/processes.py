"""A population on many architectures, in several processes: each takes those that share most."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process

from simulators.arch import Arch
from simulators.population import Figures, Population


def on_all(population: Population, archs: Sequence[Arch], workers: int) -> Generator[tuple[int, Figures], None, None]:
    """(position, figures) of every architecture, in the order of completion; `workers` 1: in this process, in order."""
    if workers <= 1 or len(archs) == 1:
        for i, arch in enumerate(archs):
            yield i, population.on(arch)
        return
    context = get_context("spawn")  # a model's threads do not survive a fork
    pool = ProcessPoolExecutor(min(workers, len(archs)), context, _begin, (population,))
    try:
        futures = {pool.submit(_do, arch): i for i, arch in enumerate(archs)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


_population: Population | None = None
"""Of a worker process."""


def _begin(population: Population) -> None:
    global _population
    _population = population
    parent = parent_process()
    if parent is not None:  # a killed parent does not leave its workers waiting

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _do(arch: Arch) -> Figures:
    assert _population is not None
    return _population.on(arch)
