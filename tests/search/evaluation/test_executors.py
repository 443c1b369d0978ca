"""The pool and Dask: the front is the inline one's, and what is killed costs no more than it must."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT
from sending_stand_in import SendingStandIn
from slow_stand_in import Deadly, Factory, SlowModel, UnsendableModel, experiment, notes_of

from quant.sites.candidate import name_of
from search import Experiment, run
from search.codesign.sweep import sweep
from search.evaluation.executors.cluster import Dask
from search.evaluation.executors.pool import Pool
from search.evaluation.ledger import Ledger
from search.runs.run_reader import load_run
from simulators import InputError


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask() -> Iterator[Dask]:
    with Dask(2) as executor:
        yield executor


@pytest.fixture(params=["pool", "dask"])
def executor(request: pytest.FixtureRequest) -> Any:
    """Two workers."""
    return request.getfixturevalue(request.param)


def table(folder: Path) -> bytes:
    return (folder / "pareto.csv").read_bytes()


@pytest.mark.slow
def test_a_real_recogniser_gives_the_same_front(small_model: Path, tmp_path: Path, pool: Pool, dask: Dask) -> None:
    settings = {"name": "e", "model": str(small_model), "population": 8, "offspring": 4, "generations": 1, "steps": 20,
                "method": "nsga2"}  # fmt: skip
    whole = run(Experiment.model_validate(settings), tmp_path / "inline")
    for executor in (pool, dask):
        folder = tmp_path / type(executor).__name__
        found = run(Experiment.model_validate(settings), folder, executor=executor)
        assert table(folder) == table(tmp_path / "inline")
        assert found.evaluated == whole.evaluated
        counts = [Ledger(of / "ledger.sqlite").counts()["errors"] for of in (folder, tmp_path / "inline")]
        assert counts[0] == counts[1] > found.evaluated  # and the front on test


@pytest.mark.slow
def test_beacons_give_the_same_front(tmp_path: Path, executor: Any) -> None:
    found = run(experiment(), tmp_path / "others", model=SlowModel(), executor=executor)
    run(experiment(), tmp_path / "inline", model=SlowModel())
    assert table(tmp_path / "others") == table(tmp_path / "inline")
    assert any(s.quality.beacon for s in found.visited if s.quality)


@pytest.mark.slow
def test_what_a_delta_network_sends_is_simulated_by_the_workers(tmp_path: Path, executor: Any) -> None:
    settings = Experiment.model_validate({
        "name": "e", "model": "none", "population": 6, "offspring": 4, "generations": 1, "steps": 5, "method": "nsga2",
        "set": ["skips_inactive_inputs=true"], "thresholds": {"L*": [0, 16, 64], "P1": [0, 32]},
        "objectives": ["error", "latency", "dram_energy"], "constraints": {},
    })  # fmt: skip
    model = SendingStandIn()
    found = run(settings, tmp_path / "others", model=model, executor=executor)
    run(settings, tmp_path / "inline", model=SendingStandIn())
    assert table(tmp_path / "others") == table(tmp_path / "inline")
    assert found.evaluated > model.populations == 0


@pytest.mark.slow
def test_all_workers_are_busy(tmp_path: Path, executor: Any) -> None:
    notes = tmp_path / "notes"
    model = SlowModel(digest="busy", notes=str(notes), seconds=0.1)
    run(experiment(beacons=False, generations=0), tmp_path / "run", model=model, executor=executor)
    work = Counter(pid for _, pid, _ in notes_of(notes))
    assert os.getpid() not in work
    assert len(work) == 2
    assert min(work.values()) >= 4  # of 4 baselines and 8 others at most


@pytest.mark.slow
def test_no_worker_waits_for_a_generation(tmp_path: Path, executor: Any) -> None:
    settings = experiment(False, method="random", generations=3)
    found = run(settings, tmp_path / "run", model=SlowModel(digest="no barrier", seconds=0.02), executor=executor)
    assert len({solution.name for solution in found.visited}) == 8 + 3 * 6
    with closing(Ledger(tmp_path / "run/ledger.sqlite")) as ledger:
        assert len(ledger.events()) > 20
    (tmp_path / "run/pareto.json").unlink()
    again = run(settings, tmp_path / "run", resume=True, model=SlowModel(digest="no barrier"))
    assert again.evaluated == 0
    assert [solution.name for solution in again.visited] == [solution.name for solution in found.visited]


@pytest.mark.slow
def test_a_sweep_evaluates_elsewhere_and_finds_the_same(tmp_path: Path, executor: Any) -> None:
    settings = experiment(
        beacons=False, objectives=["error", "latency", "area"], hardware=[{"grid": {"array.rows": [4, 8]}}],
        candidates={"random": 12},
    )  # fmt: skip
    notes = tmp_path / "notes"
    model = SlowModel(digest="swept", notes=str(notes), seconds=0.1)
    sweep(settings, tmp_path / "others", model=model, executor=executor)
    sweep(settings, tmp_path / "inline", model=SlowModel(), workers=1)
    assert (tmp_path / "others/sweep.json").read_bytes() == (tmp_path / "inline/sweep.json").read_bytes()
    work = Counter(pid for _, pid, _ in notes_of(notes))
    assert os.getpid() not in work
    assert len(work) == 2


@pytest.mark.slow
def test_a_killed_worker_loses_its_running_candidate_at_most(tmp_path: Path, executor: Any) -> None:
    notes = tmp_path / "notes"
    run(experiment(beacons=False), tmp_path / "inline", model=SlowModel())
    killed: list[int] = []

    def kill() -> None:
        while len(killed) < 2:
            seen = notes_of(notes)
            pids = [pid for _, pid, _ in seen[12 * (len(killed) + 1) :] if pid not in killed]
            if pids:
                os.kill(pids[-1], signal.SIGKILL)
                killed.append(pids[-1])
            time.sleep(0.01)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    model = SlowModel(digest="killed", notes=str(notes), seconds=0.08)
    result = run(experiment(beacons=False), tmp_path / "run", model=model, executor=executor)
    killer.join(10)
    assert len(killed) == 2
    assert table(tmp_path / "run") == table(tmp_path / "inline")
    begun = Counter(what for _, _, what in notes_of(notes))
    # Dask's workers keep a result until it is fetched: one that was just computed may be lost with its worker, too.
    assert sum(begun.values()) - len(begun) <= (2 if isinstance(executor, Pool) else 4)
    assert result.set_aside == ()


class Display:
    """A progress that keeps what was set aside."""

    def __init__(self) -> None:
        self.aside: list[str] = []

    def started(self, candidates: int) -> None: ...

    def evaluated(self, bits: Any, quality: Any) -> None: ...

    def generation(self, number: int, of: int, candidates: int, front: int) -> None: ...

    def set_aside(self, bits: Any) -> None:
        self.aside.append(name_of(bits))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "beacons"), [("pool", False), ("pool", True), ("dask", True)])
def test_a_candidate_that_kills_workers_is_set_aside(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, beacons: bool
) -> None:
    executor = request.getfixturevalue(kind)
    inline = run(experiment(beacons), tmp_path / "inline", model=SlowModel())
    baselines = {s.name for s in inline.baselines.values()}
    victim = next(s.name for s in inline.visited if s.name not in baselines)
    notes = tmp_path / "notes"
    model = SlowModel(digest=f"deadly {beacons}", deadly=victim, notes=str(notes), seconds=0.01)
    display = Display()
    result = run(experiment(beacons), tmp_path / "run", model=model, executor=executor, progress=display)
    assert {*display.aside} == {victim}
    assert [s.name for s in result.set_aside] == [victim]
    assert victim not in {s.name for s in result.front}
    assert all(s.quality is not None for s in result.visited if s.name != victim)
    stored = load_run(tmp_path / "run").results
    assert stored is not None
    assert (stored["set_aside"], stored["screened"]) == ([victim], 0)
    begun = Counter(what for _, _, what in notes_of(notes))
    assert begun[f"{model.digest} {victim}"] == 2

    before = table(tmp_path / "run")
    (tmp_path / "run/pareto.csv").unlink()
    resumed = run(experiment(beacons), tmp_path / "run", resume=True, model=model, executor=executor)
    assert table(tmp_path / "run") == before
    assert [s.name for s in resumed.set_aside] == [victim]
    assert resumed.evaluated == 0
    assert Counter(what for _, _, what in notes_of(notes)) == begun  # it killed no more workers

    (tmp_path / "new").mkdir()  # a new search that begins with the ledger tries it again
    (tmp_path / "new/ledger.sqlite").write_bytes((tmp_path / "run/ledger.sqlite").read_bytes())
    well = SlowModel(digest=model.digest, data_digest=model.data_digest)
    assert run(experiment(beacons), tmp_path / "new", model=well).set_aside == ()


@pytest.mark.slow
def test_a_baseline_that_kills_workers_ends_the_search(tmp_path: Path, pool: Pool) -> None:
    deadly = ",".join(f"{site.name}=16x16" for site in SlowModel().sites)
    settings = experiment(beacons=False, constraints={"error_increase": 8.0})
    with pytest.raises(InputError, match="the 16-bit baseline has no error: the workers that evaluated it died"):
        run(settings, tmp_path / "run", model=SlowModel(digest="base", deadly=deadly), executor=pool)


@pytest.mark.slow
def test_what_evaluations_raise_is_raised_here(tmp_path: Path, executor: Any) -> None:
    bad = ",".join(f"{site.name}=4x4" for site in SlowModel().sites)
    with pytest.raises(InputError, match="this candidate is bad"):
        run(experiment(False), tmp_path / "run", model=SlowModel(digest="bad", bad=bad), executor=executor)
    run(experiment(False, generations=0), tmp_path / "after", model=SlowModel(), executor=executor)


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["digest", "data_digest"])
def test_a_worker_with_another_model_or_data_is_refused(tmp_path: Path, executor: Any, changed: str) -> None:
    model = SlowModel(digest=f"here, other {changed}", data_digest="here")
    there = Factory((("digest", model.digest), ("data_digest", "here"), (changed, "there")))
    kind = "model" if changed == "digest" else "data"
    with pytest.raises(InputError, match=f"a worker has another {kind} than this search: digest there, not here"):
        run(experiment(False), tmp_path / "run", model=model, factory=there, executor=executor)


@pytest.mark.slow
def test_a_model_that_cannot_be_sent_needs_a_factory(tmp_path: Path, executor: Any) -> None:
    model = UnsendableModel(digest="unsendable")
    with pytest.raises(InputError, match=r"cannot be sent to other processes .*: give `run` a factory"):
        run(experiment(False), tmp_path / "run", model=model, executor=executor)
    factory = Factory((("digest", "unsendable"),))
    run(experiment(False, generations=0), tmp_path / "made", model=model, factory=factory, executor=executor)


@pytest.mark.slow
def test_workers_that_die_while_they_load(tmp_path: Path) -> None:
    (tmp_path / "always").mkdir()
    always = Deadly(tmp_path / "always")
    with Pool(1) as executor, pytest.raises(InputError, match=r"3 workers in a row died .*, the last by SIGKILL"):
        run(experiment(False), tmp_path / "other", model=SlowModel(), factory=always, executor=executor)
    assert len(list((tmp_path / "always").iterdir())) == 3


def test_settings_that_make_no_sense() -> None:
    for make in (lambda: Pool(0), lambda: Dask(0)):
        with pytest.raises(InputError, match="--workers 0: it must be at least 1"):
            make()
    with pytest.raises(InputError, match="leave out --workers and --dask"):
        Dask(2, "tcp://127.0.0.1:1")


@pytest.mark.slow
def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.evaluation.executors.cluster.TIMEOUT_S", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense://there"):
        with Dask(scheduler=address) as executor, pytest.raises(InputError, match=f"--scheduler {address}: no Dask"):
            run(experiment(False), tmp_path / f"{len(address)}", model=SlowModel(), executor=executor)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["workers", "dask"])
def test_workers_end_with_a_killed_driver(tmp_path: Path, kind: str) -> None:
    notes = tmp_path / "notes"
    script = ROOT / "tests/helpers/slow_stand_in.py"
    process = subprocess.Popen([sys.executable, script, tmp_path / "run", notes, "0.05", "0", kind, "2"])
    while len(seen := notes_of(notes)) < 8 or len({pid for _, pid, _ in seen}) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    pids = {pid for _, pid, _ in notes_of(notes)}
    deadline = time.monotonic() + 10
    while alive := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)
    whole = experiment(generations=14)
    found = run(whole, tmp_path / "run", resume=True, model=SlowModel())
    run(whole, tmp_path / "inline", model=SlowModel())
    assert table(tmp_path / "run") == table(tmp_path / "inline")
    assert found.evaluated < Ledger(tmp_path / "run/ledger.sqlite").counts()["errors"]
