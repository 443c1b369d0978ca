"""A search with beacons on Dask workers, the search and its workers killed by SIGKILL again and again; and a full disk."""

import logging
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster
from paths import ROOT
from slow_stand_in import SlowModel, experiment, notes_of

from search import run
from search.evaluation.executors.local_cluster import SETTINGS
from search.evaluation.ledger import ErrorsOf, Ledger
from simulators import InputError

KILLS = 6
SCRIPT = ROOT / "tests/helpers/slow_stand_in.py"
PATIENCE_S = 60.0


def rows_of(folder: Path, table: str = "errors") -> dict[str, tuple]:
    """Recorded evaluations by model and candidate: result and seconds."""
    if not (folder / "ledger.sqlite").exists():
        return {}
    with closing(sqlite3.connect(f"file:{folder}/ledger.sqlite?mode=ro", uri=True)) as database:
        try:
            found = database.execute(f"SELECT model, candidate, * FROM {table}").fetchall()
        except sqlite3.OperationalError:  # the process is making the tables, or writing
            return {}
    return {f"{row[0]} {row[1]}": row for row in found}


def running(cluster: LocalCluster) -> list[int]:
    """Processes of the workers that have joined."""
    handles = [nanny.process for nanny in cluster.workers.values()]
    return [handle.pid for handle in handles if handle and handle.pid and handle.status.name == "running"]


def wait(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Until the condition holds, while the process runs."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()[1].decode() or "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_a_search_with_beacons_on_dask_killed_again_and_again(tmp_path: Path) -> None:
    settings = experiment(generations=14)
    run(settings, tmp_path / "whole", model=SlowModel())
    folder, notes = tmp_path / "run", tmp_path / "notes"
    moments = random.Random(5)
    snapshots: list[tuple[float, dict[str, tuple]]] = []
    dead = {"search": 0, "worker": 0}

    def retraining() -> bool:
        return any(not path.with_name("done").exists() for path in folder.glob("beacons/*/begun"))

    # A scheduler tries for 30 s by default to reach a worker that has just died.
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "3s", **SETTINGS}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
    ):
        command = [sys.executable, SCRIPT, folder, notes, "0.03", "0.4", "scheduler", cluster.scheduler_address]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        for number in range(KILLS):
            # After the search went on by a few evaluations; at first in the middle of a retraining.
            wanted = len(rows_of(folder)) + moments.randint(1, 4)
            wait(process, lambda wanted=wanted: len(rows_of(folder)) >= wanted)  # type: ignore[misc]
            if number == 0:
                wait(process, retraining)
            time.sleep(moments.uniform(0, 0.05))
            if number % 3 == 0:
                process.kill()
                process.communicate()
                snapshots.append((time.monotonic(), rows_of(folder)))
                process = subprocess.Popen(command, stderr=subprocess.PIPE)
                dead["search"] += 1
            else:
                snapshots.append((time.monotonic(), rows_of(folder)))
                wait(process, lambda: bool(running(cluster)))
                os.kill(moments.choice(running(cluster)), signal.SIGKILL)
                dead["worker"] += 1
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, errors.decode()
    assert sum(dead.values()) == KILLS

    final, begun = rows_of(folder), notes_of(notes)
    for when, rows in snapshots:
        assert rows.items() <= final.items()  # none lost, none written twice
        assert not any(what in rows for then, _, what in begun if then > when)  # none computed again
    assert rows_of(folder, "set_aside") == {}
    for name in ("pareto.csv", "pareto.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert final.keys() == rows_of(tmp_path / "whole").keys()


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path: Path) -> None:
    def limited() -> None:  # what a write finds is "file too large" then, which SQLite reports like a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    folder = tmp_path / "run"
    command = [sys.executable, SCRIPT, folder, tmp_path / "notes", "0", "0", "inline", ""]
    result = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(folder) in result.stderr
    recorded = rows_of(folder)
    assert recorded
    now = time.monotonic()
    subprocess.run(command, check=True)
    run(experiment(generations=14), tmp_path / "whole", model=SlowModel())
    assert (folder / "pareto.csv").read_bytes() == (tmp_path / "whole/pareto.csv").read_bytes()
    assert not any(what in recorded for when, _, what in notes_of(tmp_path / "notes") if when > now)


def test_a_full_database_is_one_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")
    pages = ledger._database.execute("PRAGMA page_count").fetchone()[0]
    ledger._database.execute(f"PRAGMA max_page_count={pages}")

    def fill() -> None:
        for i in range(10_000):
            ledger.write_error(ErrorsOf("model", "data", "code"), f"candidate {i}", {"error": 1.0}, 1.0)

    with pytest.raises(InputError, match=r"l\.sqlite: the ledger cannot be used: database or disk is full"):
        fill()


def test_folders_and_ledgers_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file, and a folder is wanted"):
        run(experiment(), tmp_path / "file" / "run", model=SlowModel())
    (tmp_path / "old").mkdir()
    Ledger(tmp_path / "old/ledger.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "old/ledger.sqlite")) as database, database:
        database.execute("UPDATE about SET schema = 7")
    with pytest.raises(InputError, match="a ledger of schema 7: this version reads schema"):
        run(experiment(), tmp_path / "old", model=SlowModel())
