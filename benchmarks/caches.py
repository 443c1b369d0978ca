"""What each cache of the simulators gives: the time of a job without it, as a multiple of the time with it.

    python benchmarks/caches.py

Four jobs on MOHAQ's SRU: candidates at mixed bits on variants of Bit Fusion and of SiLago that were never met
(`bitfusion`, `silago`), the generations of a search on Bit Fusion (`search`), and a candidate that is simulated again
(`again`). Jobs with and without run in turns, the least
processor time of each counts. A cache that gives less than a twentieth on every job is not worth
having. Ends with one line of JSON.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np

from simulators import Trace, load_arch, load_trace, simulate, simulate_batch
from simulators.lowering import templates
from simulators.lowering.segments import Segment
from simulators.platforms.bitfusion import lowering, mapper, spec, tiles, tiling
from simulators.run import batch, segment_cache, simulation

TRACE = load_trace("mohaq-sru-8bit")
ARCH = load_arch("bitfusion")
PAIRS = np.array(ARCH.precisions)
BIT_FUSION = [
    load_arch("bitfusion", [f"array.rows={rows}", f"buffers.weight_kib={kib}", f"dram.bits_per_cycle={bits}", clock])
    for rows in (8, 16)
    for kib in (64, 128)
    for bits in (64, 128)
    for clock in ("frequency_mhz=250", "frequency_mhz=500")
]
SILAGO = [load_arch("silago", [f"fabric.columns={columns}"]) for columns in (3, 4, 6, 8, 10, 12)]
ROUNDS = 9


def forget() -> None:
    """Empty all that a process has kept."""
    simulation.simulator.cache_clear()
    segment_cache.shared_cache.cache_clear()
    mapper.forget_mappings()
    tiles.loop_nest.cache_clear()
    templates._templates.clear()


def bits(count: int, seed: int, pairs: np.ndarray = PAIRS) -> np.ndarray:
    """(count, products, 2) widths."""
    return pairs[np.random.default_rng(seed).integers(0, len(pairs), (count, len(TRACE.products)))]


def bitfusion() -> None:
    """Two candidates on sixteen variants of array, buffer, bandwidth and clock."""
    for arch in BIT_FUSION:
        simulate_batch(TRACE, arch, bits(2, 1))


def silago() -> None:
    """Five candidates on six variants."""
    for arch in SILAGO:
        simulate_batch(TRACE, arch, bits(5, 1, np.array(arch.precisions)))


def search() -> None:
    """Ten generations of ten candidates, each of which differs from an earlier one in one layer."""
    draw = np.random.default_rng(2)
    parents = bits(10, 3)
    for _ in range(10):
        parents[np.arange(10), draw.integers(0, len(TRACE.products), 10)] = PAIRS[draw.integers(0, len(PAIRS), 10)]
        simulate_batch(TRACE, ARCH, parents)


MIXED = Trace(name="mixed", steps=TRACE.steps, layers=tuple(
    layer.at_bits(*(int(of[0, i]) for of in TRACE.widths(bits(1, 4)))) for i, layer in enumerate(TRACE.layers)
))  # fmt: skip


def again() -> None:
    """One candidate thirty times."""
    for _ in range(30):
        simulate(MIXED, ARCH)


class Forgetful(dict):  # type: ignore[type-arg]
    """Keeps nothing."""

    def __setitem__(self, key: object, value: object) -> None: ...

    def setdefault(self, key: object, default: Any = None) -> Any:
        return default


@contextmanager
def without(module: Any, *names: str) -> Iterator[None]:
    """Call the functions that are cached each time."""
    with patch.multiple(module, **{name: getattr(module, name).__wrapped__ for name in names}):
        yield


@contextmanager
def no_templates() -> Iterator[None]:
    with patch.object(templates, "_templates", OrderedDict()), patch.object(templates, "TEMPLATES", 0):
        yield


@contextmanager
def no_lookahead() -> Iterator[None]:
    made = Segment.__init__

    def init(self: Segment, *values: Any) -> None:
        made(self, *values)
        object.__setattr__(self, "with_lookahead", Forgetful())

    with patch.object(Segment, "__init__", init):
        yield


@contextmanager
def no_timings() -> Iterator[None]:
    made = segment_cache.SegmentCache.__init__

    def init(self: Any, platform: str) -> None:
        made(self, platform)
        self._timings = Forgetful()

    with patch.object(segment_cache.SegmentCache, "__init__", init):
        yield


@contextmanager
def no_segments() -> Iterator[None]:
    """Each network's segments, and so their timings, are made anew."""
    made = simulation.Simulator.segments

    def segments(self: simulation.Simulator, layers: Any) -> list[int]:
        self._numbers.clear()
        self._energies_pj.clear()
        self.cache = segment_cache.SegmentCache(self.arch.platform)
        return made(self, layers)

    with patch.object(simulation.Simulator, "segments", segments):
        yield


@contextmanager
def no_shared_trials() -> Iterator[None]:
    with patch.object(mapper, "_shared", lambda key: mapper._Shared()):
        yield


CACHES: dict[str, Callable[[], Any]] = {
    "templates": no_templates,
    "programs with a lookahead": no_lookahead,
    "loop nests": lambda: without(tiles, "loop_nest"),
    "timings": no_timings,
    "segments": no_segments,
    "simulators": lambda: without(simulation, "simulator"),
    "mappings": lambda: without(mapper, "_mapping"),
    "trials that variants share": no_shared_trials,
    "keys of mappings": lambda: without(mapper, "_alone"),
    "keys of tasks": lambda: without(mapper, "tasks_key"),
    "precision": lambda: without(tiling, "precision"),
    "figures of buffers": lambda: without(lowering, "_buffer_energy"),
    "buffers": lambda: without(spec, "sram_of"),
    "layers at other bits": lambda: without(batch, "_with_bits"),
}
JOBS = (bitfusion, silago, search, again)


def timed(job: Callable[[], None], without: Callable[[], Any]) -> float:
    """Seconds; what the process keeps is emptied before."""
    forget()
    with without():
        began = time.process_time()
        job()
        return time.process_time() - began


def main() -> None:
    for job in JOBS:
        job()  # compiles
    figures: dict[str, dict[str, float]] = {}
    for name, disabled in CACHES.items():
        figures[name] = {}
        for job in JOBS:
            pairs = [(timed(job, disabled), timed(job, nullcontext)) for _ in range(ROUNDS)]
            without, with_all = map(min, zip(*pairs, strict=True))
            figures[name][job.__name__] = round(without / with_all, 3)
        print(f"{name:27}", "  ".join(f"{job} {ratio:6.2f}" for job, ratio in figures[name].items()), flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
