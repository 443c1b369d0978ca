"""Variants of hardware on a Dask cluster: the sweep is the local one's, whatever is killed."""

import os
import pickle
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from killed import Killed
from stand_in import StandInModel

from search import Experiment
from search.codesign.design_points import CoDesign
from search.codesign.sweep import sweep
from search.evaluation.executors.cluster import Dask
from search.evaluation.executors.cluster_variants import Packed, SentTraces, VariantFigures, VariantTask, simulated
from search.evaluation.executors.executor import Died, Inline
from simulators import InputError, load_arch
from simulators.lowering.platform import platform_named
from simulators.run.trace_batch import Figures, TraceBatch

FILES = ("sweep.csv", "sweep.json", "fronts.csv", "variants.csv", "points.npz")
SETTINGS = Experiment.model_validate({
    "name": "t", "model": "none", "steps": 5, "objectives": ["error", "latency", "energy", "area"],
    "candidates": {"random": 30}, "method": "nsga2",
    "hardware": [
        {"archs": ["silago"]},
        {"grid": {"array.rows": [4, 8], "buffers.weight_kib": [32, 64, 128], "dram.bits_per_cycle": [24, 192]}},
    ],
})  # fmt: skip


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> CoDesign:
    return sweep(SETTINGS, tmp_path_factory.mktemp("local") / "run", model=StandInModel(), workers=1)


@pytest.fixture(scope="module")
def dask() -> Iterator[Dask]:
    with Dask(2) as executor:
        yield executor


class At:
    """Does something when so many variants are simulated."""

    def __init__(self, variants: int, do: Any):
        self.variants, self.do = variants, do
        self.told: list[int] = []

    def started(self, *_: Any) -> None: ...
    def evaluated(self, *_: Any) -> None: ...
    def searching(self, *_: Any) -> None: ...

    def simulating(self, done: int, *_: Any) -> None:
        self.told.append(done)
        if done == self.variants:
            self.do()


class OnCluster(Inline):
    """Errors here: no worker needs the model."""

    def __init__(self, dask: Dask):
        self.simulate = dask.simulate


def equal(folder: Path, local: CoDesign) -> bool:
    return all((folder / name).read_bytes() == (local.folder / name).read_bytes() for name in FILES)


@pytest.mark.slow
def test_workers_and_the_driver_are_killed_and_the_sweep_is_the_local_one(
    tmp_path: Path, local: CoDesign, dask: Dask
) -> None:
    def stop() -> None:
        raise Killed

    def kill_a_worker() -> None:
        assert dask._cluster is not None
        os.kill(next(iter(dask._cluster.workers.values())).process.pid, signal.SIGKILL)

    with pytest.raises(Killed):
        sweep(SETTINGS, tmp_path / "run", progress=At(4, stop), model=StandInModel(), executor=OnCluster(dask))
    assert len(list((tmp_path / "run/parts").rglob("*.npz"))) >= 4
    killing = At(6, kill_a_worker)
    model = StandInModel()
    sweep(SETTINGS, tmp_path / "run", resume=True, progress=killing, model=model, executor=OnCluster(dask))
    assert killing.told[0] >= 4
    assert killing.told[1:] == list(range(killing.told[0] + 1, 14))  # each variant that was missing, once
    assert model.evaluations == []
    assert equal(tmp_path / "run", local)


@pytest.mark.slow
def test_what_runs_on_no_worker_is_told_in_one_line(dask: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    model, arch = StandInModel(), load_arch("bitfusion")
    traces = TraceBatch([model.trace({site.name: (8, 8) for site in model.sites}, 5)])
    of = SentTraces.of

    def older(candidates: TraceBatch, archs: Sequence[Any]) -> SentTraces:
        return replace(of(candidates, archs), codes=(("bitfusion", "older"),))

    monkeypatch.setattr(SentTraces, "of", older)
    with pytest.raises(InputError, match=r"^a worker simulates bitfusion with another version of the code"):
        list(dask.simulate(traces, [arch]))


class Deadly:
    """Tasks of one worker, which an architecture of so many rows kills."""

    threads: ClassVar = {"one": 1}

    def __init__(self, rows: int):
        self.rows = rows
        self.asked: list[tuple[int, ...]] = []
        self._waiting: deque[VariantTask] = deque()

    @property
    def left(self) -> int:
        return len(self._waiting)

    def submit(self, batch: VariantTask, worker: str | None) -> None:
        assert worker in ("one", None)
        self._waiting.append(batch)

    def finished(self, _: float | None) -> list[tuple[VariantTask, VariantFigures | Died]]:
        batch = self._waiting.popleft()
        self.asked.append(batch.numbers)
        rows = [arch.spec.array.rows for arch in pickle.loads(batch.archs)]
        if self.rows in rows:
            return [(batch, Died(2))]
        figures = [Figures(np.array([row]), np.array([row / 3]), np.array([-1]), ()) for row in rows]
        return [(batch, VariantFigures([Packed.of(one) for one in figures], 1e-3 * len(rows)))]

    def close(self) -> None:
        self._waiting.clear()


def test_a_variant_that_kills_workers_is_found_among_those_beside_it_and_named() -> None:
    archs = [load_arch("bitfusion", [f"array.rows={rows}"]) for rows in range(4, 20)]
    whole = Deadly(0)
    found = dict(simulated(whole, archs))  # type: ignore[arg-type]
    assert {number: int(figures.cycles[0]) for number, figures in found.items()} == dict(enumerate(range(4, 20)))
    assert all(found[number].energy_uj[0] == (number + 4) / 3 for number in found)
    assert whole.asked[0] == (0,)  # how long one takes is not known yet
    assert max(map(len, whole.asked)) > 4
    assert len(whole.asked[-1]) == 1  # little is left: no worker waits for another's long task
    deadly = Deadly(9)
    with pytest.raises(InputError, match=r"^variant 6 \(bitfusion\) of those to simulate killed 2 workers: too little"):
        list(simulated(deadly, archs))  # type: ignore[arg-type]
    assert deadly.asked[-1] == (5,)


class Several:
    """Tasks of four workers, the one that ends first first. An architecture takes half a second where its worker has had
    none of its choices before, and a hundredth of that otherwise."""

    threads: ClassVar = {"a": 1, "b": 1, "c": 1, "d": 1}

    def __init__(self) -> None:
        self.had: dict[str, set[Any]] = {worker: set() for worker in self.threads}
        self.seconds = dict.fromkeys(self.threads, 0.0)
        self._ends: list[tuple[float, str, VariantTask, VariantFigures]] = []

    @property
    def left(self) -> int:
        return len(self._ends)

    def submit(self, batch: VariantTask, worker: str | None) -> None:
        assert worker is not None
        seconds, figures = 0.0, []
        for arch in pickle.loads(batch.archs):
            key = platform_named("bitfusion").choices_key(arch.spec), arch.spec.array
            seconds += 0.005 if key in self.had[worker] else 0.5
            self.had[worker].add(key)
            figures.append(Packed.of(Figures(np.array([1]), np.array([1.0]), np.array([-1]), ())))
        self.seconds[worker] += seconds
        self._ends.append((self.seconds[worker], worker, batch, VariantFigures(figures, seconds)))

    def finished(self, _: float | None) -> list[tuple[VariantTask, VariantFigures]]:
        first = min(self._ends, key=lambda end: end[:2])
        self._ends.remove(first)
        return [first[2:]]

    def close(self) -> None:
        self._ends.clear()


def test_what_one_worker_knows_no_other_works_out_anew() -> None:
    """Twelve arrays, four buffers and two clocks: 48 choices are made, one by one worker, and all have equally much."""
    tasks = Several()
    archs = [
        load_arch("bitfusion", [f"array.rows={rows}", f"buffers.weight_kib={kib}", f"frequency_mhz={mhz}"])
        for rows in range(4, 16) for kib in (8, 16, 32, 64) for mhz in (250, 500)
    ]  # fmt: skip
    assert sorted(number for number, _ in simulated(tasks, archs)) == list(range(96))  # type: ignore[arg-type]
    assert sum(map(len, tasks.had.values())) == 48
    assert sum(tasks.seconds.values()) == pytest.approx(48 * 0.505)
    assert max(tasks.seconds.values()) <= 1.1 * 48 * 0.505 / 4
