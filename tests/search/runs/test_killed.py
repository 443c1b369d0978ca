"""`mohaq search` as a process, with a real recogniser, killed by SIGKILL at random moments."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from search.evaluation.ledger import Ledger

KILLS = 3


def command(folder: Path, experiment: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "mohaq", "search", str(experiment), "--out", str(folder), *options]


def evaluations(folder: Path) -> int:
    """Recorded model evaluations."""
    if not (folder / "ledger.sqlite").exists():
        return 0
    with closing(sqlite3.connect(f"file:{folder}/ledger.sqlite?mode=ro", uri=True)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM errors").fetchone()[0])
        except sqlite3.OperationalError:  # the process is making the tables, or writing
            return 0


@pytest.mark.slow
def test_a_search_killed_again_and_again_finds_the_same_front(small_model: Path, tmp_path: Path) -> None:
    experiment = tmp_path / "experiment.yaml"
    settings = {
        "name": "killed",
        "model": str(small_model),
        "population": 12,
        "offspring": 6,
        "generations": 6,
        "steps": 20,
    }
    experiment.write_text(yaml.safe_dump(settings))
    subprocess.run(command(tmp_path / "whole", experiment), check=True, capture_output=True)

    moments = random.Random(7)
    folder = tmp_path / "parts"
    recorded = killed = 0
    for _ in range(KILLS):
        # At a random moment after the search went on by a few evaluations: how fast it runs does not matter.
        process = subprocess.Popen(
            command(folder, experiment, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        wanted = recorded + moments.randint(1, 6)
        while process.poll() is None and evaluations(folder) < wanted:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()
        killed += process.returncode != 0
        recorded = evaluations(folder)
    assert killed >= 2
    subprocess.run(command(folder, experiment, "--resume"), check=True, capture_output=True)

    for name in ("pareto.csv", "pareto.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for solution in (tmp_path / "whole/solutions").iterdir():
        assert (folder / "solutions" / solution.name).read_bytes() == solution.read_bytes()
    assert Ledger(folder / "ledger.sqlite").counts() == Ledger(tmp_path / "whole/ledger.sqlite").counts()
