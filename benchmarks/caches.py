"""What each cache of the simulators gives: the time of a job without it, as a multiple of the time with it.

    python benchmarks/caches.py

Six jobs, on MOHAQ's SRU: a candidate whose layers are new to Bit Fusion and to SiLago (`bitfusion`, `silago`), one on
four variants of Bit Fusion's weight buffer and clock (`variants`), thirty at mixed bits, and one that is simulated
again; and four utterances of a delta network's recurrent layers on Bit Fusion (`delta`). Jobs with and without run in
turns, the least time of each counts. A cache that gives less than a twentieth on every job is not worth having. Ends
with one line of JSON.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import numpy as np

from simulators import Matmul, Trace, load_arch, load_trace, simulate, simulate_batch
from simulators.lowering import builder, templates
from simulators.platforms.bitfusion import costs, lowering, mapper, spec, tiling
from simulators.run import batch, lookahead, segment_cache, simulation
from simulators.run.chosen import Chosen
from simulators.workloads.masks import masks_of

TRACE, ARCH, SILAGO = load_trace("mohaq-sru-4bit"), load_arch("bitfusion"), load_arch("silago")
VARIANTS = [
    load_arch("bitfusion", [f"buffers.weight_kib={kib}", f"frequency_mhz={mhz}"])
    for kib in (64, 96)
    for mhz in (250, 500)
]
PAIRS = np.array(ARCH.precisions)
WIDTHS = PAIRS[np.random.default_rng(4).integers(0, len(PAIRS), (1, len(TRACE.products)))]
MIXED = Trace(name="mixed", steps=TRACE.steps, layers=tuple(
    layer.at_bits(*(int(of[0, i]) for of in TRACE.widths(WIDTHS))) for i, layer in enumerate(TRACE.layers)
))  # fmt: skip
DRAWN = PAIRS[np.random.default_rng(5).integers(0, len(PAIRS), (30, len(TRACE.products)))]
SKIPS = load_arch("bitfusion", ["skips_inactive_inputs=true"])
ROUNDS = 15


def masked(seed: int, steps: int = 150) -> Trace:
    """Two recurrent layers of a delta network, a quarter of whose states are sent."""
    chance = np.random.default_rng(seed)
    shape: dict[str, Any] = {"in_features": 256, "out_features": 768, "recurrent": True, "steps": steps}
    bits = {"weight_bits": 8, "activation_bits": 8, "output_bits": 16}
    masks = [tuple(masks_of(chance.random((steps, 256)) < 0.25)) for _ in range(2)]
    return Trace(name="masked", steps=steps, layers=tuple(
        Matmul(name=f"U{number}", active=sent, **shape, **bits) for number, sent in enumerate(masks)
    ))  # fmt: skip


MASKED = [masked(seed) for seed in range(4)]


def forget() -> None:
    """Empty what a process keeps of candidates and architectures."""
    simulation.forget()
    _tilings.cache_clear()


_tilings = mapper._tilings


def bitfusion() -> None:
    simulation.Simulator(ARCH, alone=True).report(TRACE)


def silago() -> None:
    simulation.Simulator(SILAGO, alone=True).report(TRACE)


def variants() -> None:
    for arch in VARIANTS:
        simulate_batch(TRACE, arch, WIDTHS)


def batch_of_30() -> None:
    simulate_batch(TRACE, ARCH, DRAWN)


def delta() -> None:
    for trace in MASKED:
        simulate_batch(trace, SKIPS)


def again() -> None:
    simulate(MIXED, ARCH)


class Forgetful(dict):  # type: ignore[type-arg]
    """Keeps nothing."""

    def __setitem__(self, key: object, value: object) -> None: ...

    def setdefault(self, key: object, default: Any = None) -> Any:
        return default


@contextmanager
def without(module: Any, *names: str) -> Iterator[None]:
    """Call the functions that are cached each time."""
    uncached: dict[str, Any] = {name: lru_cache(maxsize=0)(getattr(module, name).__wrapped__) for name in names}
    with patch.multiple(module, **uncached):
        yield


@contextmanager
def no_timings() -> Iterator[None]:
    made = segment_cache.SegmentCache.__init__

    def init(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        self._timings = Forgetful()

    with patch.object(segment_cache.SegmentCache, "__init__", init):
        yield


@contextmanager
def no_segments() -> Iterator[None]:
    """Each network's segments, and so their timings, are made anew."""
    made = simulation.Simulator.segments

    def segments(self: simulation.Simulator, layers: Any) -> list[int]:
        self.cache = segment_cache.SegmentCache(self.arch.platform, self.machine)
        self.chosen = Chosen()
        return made(self, layers)

    with patch.object(simulation.Simulator, "segments", segments):
        yield


CACHES: dict[str, Callable[[], Any]] = {
    "templates": lambda: without(builder, "template_of"),
    "dependencies of periods": lambda: without(templates, "period_of"),
    "programs with a lookahead": lambda: without(lookahead, "_lengthened"),
    "loop nests": lambda: without(costs, "loop_nest"),
    "time steps": lambda: without(costs, "_time_steps"),
    "timings": no_timings,
    "segments": no_segments,
    "simulators": lambda: without(simulation, "_simulator"),
    "mappings": lambda: without(mapper, "_tilings"),
    "keys of mappings": lambda: without(mapper, "_alone"),
    "precision": lambda: without(tiling, "precision"),
    "figures of buffers": lambda: without(lowering, "_buffer_energy"),
    "buffers": lambda: without(spec, "sram_of"),
    "layers at other bits": lambda: without(batch, "_with_bits"),
}
JOBS = (bitfusion, silago, variants, batch_of_30, delta, again)


def timed(job: Callable[[], None], without: Callable[[], Any]) -> float:
    """Seconds of a job."""
    with without():
        forget()
        if job is again:
            job()
        began = time.perf_counter()
        job()
        return time.perf_counter() - began


def main() -> None:
    figures: dict[str, dict[str, float]] = {}
    for name, disabled in CACHES.items():
        figures[name] = {}
        for job in JOBS:
            timed(job, disabled)
            timed(job, nullcontext)
            pairs = [(timed(job, disabled), timed(job, nullcontext)) for _ in range(ROUNDS)]
            without, with_all = map(min, zip(*pairs, strict=True))
            figures[name][job.__name__] = round(without / with_all, 3)
        print(f"{name:27}", "  ".join(f"{job} {ratio:6.2f}" for job, ratio in figures[name].items()), flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
