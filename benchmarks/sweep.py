"""1,000 variants of Bit Fusion x 1,000 known candidates of MOHAQ's SRU: cycles, latency, energy, area, and the fronts.

    python benchmarks/sweep.py [VARIANTS [DASK_WORKERS]]

The variants are a grid of arrays, buffers, bandwidths and clocks; the candidates' errors are known. Also a list of a
tenth as many in which no two have array, buffers or bandwidth in common. With a number of Dask workers the grid is
simulated by two processes, and then by so many workers of one thread on the loopback interface, which have started
already: beside seconds, the processor seconds of all processes say what Dask adds where cores are few. Ends with one
line of JSON.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from simulators import Elementwise, Trace, load_trace
from simulators.inputs.cores import usable_cores

CANDIDATES = 1000
GRID = {
    "array.rows": [8, 12, 16, 24, 32],
    "array.columns": [16, 24, 32, 48, 64],
    "buffers.weight_kib": [32, 64, 96, 128],
    "dram.bits_per_cycle": [64, 96, 128, 192, 256],
    "frequency_mhz": [250, 500],
}


class Site:
    """A product of the trace."""

    def __init__(self, name: str):
        self.name = name


class Known:
    """A model whose errors cost nothing: what a ledger gives."""

    digest, data_digest = "known", "known"

    def __init__(self, trace: Trace):
        self._trace = trace
        self.sites = [Site(layer.name) for layer in trace.layers if not isinstance(layer, Elementwise)]

    def evaluate_population(self, candidates: list) -> list:
        return [Rate(sum(3 / w + 2 / a for w, a in bits.values())) for bits in candidates]

    def trace(self, bits: dict, steps: int) -> Trace:
        pairs = np.array([[bits[site.name] for site in self.sites]])
        widths = [w[0].tolist() for w in self._trace.widths(pairs)]
        layers = [
            layer.but(weight_bits=w, activation_bits=a, output_bits=o)
            for layer, w, a, o in zip(self._trace.layers, *widths, strict=True)
        ]
        return Trace.model_construct(name="known", steps=self._trace.steps, layers=tuple(layers))


class Rate:
    def __init__(self, error: float):
        self.error = self.error_max = error


class OnCluster:
    """Errors here, where they are known; variants on the workers of a cluster."""

    together = 1000

    def __init__(self, cluster: Any):
        self.simulate = cluster.simulate

    def map(self, recognition: Any, groups: Sequence[Any]) -> Iterator[Any]:
        for group in groups:
            yield group, recognition(group)


def timed(
    hardware: list[dict], model: Known, executor: OnCluster | None = None, workers: int | None = None
) -> tuple[float, int, int]:
    # Not above: processes that simulate import this module again, as those of `mohaq sweep` import no more than
    # simulators.
    from search import Experiment
    from search.codesign.sweep import sweep

    experiment = Experiment.model_validate({
        "name": "benchmark", "model": "known", "objectives": ["error", "latency", "energy", "area"], "constraints": {},
        "candidates": {"random": CANDIDATES}, "hardware": {"list": hardware},
    })  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = sweep(experiment, Path(folder) / "run", model=model, executor=executor, workers=workers)
        return time.perf_counter() - began, len(result.variant), len(result.front)


def processor_seconds() -> float:
    """Processor seconds of this process and those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def living_processor_seconds() -> float:
    """Processor seconds, up to now, of this process and all that it started and that live."""
    import psutil  # Dask needs it too

    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(of.user + of.system for of in times)


def on_cluster(hardware: list[dict], ready: list[dict], model: Known, workers: int) -> dict[str, float]:
    """Variants on Dask workers that have simulated others before."""
    from search.evaluation.executors.cluster import Dask

    before = processor_seconds()
    with Dask(workers) as cluster:
        timed(ready, model, OnCluster(cluster))
        started, driver = living_processor_seconds(), processor_seconds()  # the scheduler runs in this process
        seconds, *_ = timed(hardware, model, OnCluster(cluster))
        spent, driver = living_processor_seconds() - started, processor_seconds() - driver
    return {
        "dask_workers": workers, "dask_s": seconds, "dask_processor_s": spent, "dask_driver_processor_s": driver,
        "dask_processor_with_start_s": processor_seconds() - before,
    }  # fmt: skip


def main() -> None:
    variants = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    model = Known(load_trace("mohaq-sru-8bit"))
    every = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    draw = np.random.default_rng(1)
    alone = [
        {"array.rows": int(draw.integers(6, 40)), "array.columns": int(draw.integers(8, 70)),
         "buffers.weight_kib": float(draw.uniform(32, 256)), "dram.bits_per_cycle": int(draw.integers(32, 512))}
        for _ in range(max(2, variants // 10))
    ]  # fmt: skip
    figures: dict[str, float] = {"cores": usable_cores(), "load_before": os.getloadavg()[0]}
    dask_workers = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for name, hardware in (("grid", every[:variants]), ("nothing_in_common", alone)):
        before = processor_seconds()
        seconds, points, front = timed(hardware, model, workers=2 if dask_workers else None)
        spent = processor_seconds() - before
        count = len(hardware)
        each = seconds / count * 1e3
        print(
            f"{name}: {count} variants, {points:,} points, {front:,} on the front, {seconds:.1f} s, "
            f"{each:.0f} ms each, {spent:.0f} s of processor"
        )
        figures |= {
            f"{name}_variants": count,
            f"{name}_s": seconds,
            f"{name}_ms_a_variant": each,
            f"{name}_processor_s": spent,
        }
    if dask_workers:
        figures |= on_cluster(every[:variants], alone[: 2 * dask_workers], model, dask_workers)
        for kind in ("s", "processor_s"):
            figures[f"dask_{kind}_over_two_processes"] = figures[f"dask_{kind}"] / figures[f"grid_{kind}"]
        print(
            f"by {dask_workers} Dask workers: {figures['dask_s']:.1f} s, {figures['dask_processor_s']:.0f} s of "
            f"processor ({figures['dask_processor_with_start_s']:.0f} s with their start), of them "
            f"{figures['dask_driver_processor_s']:.1f} s the driver's; of what two processes took "
            f"{figures['dask_s_over_two_processes']:.2f} and {figures['dask_processor_s_over_two_processes']:.2f}"
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
