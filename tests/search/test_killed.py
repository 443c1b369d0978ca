"""`mohaq search` as a process, with a real recogniser, killed by SIGKILL at random moments."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from search.ledger import Ledger

KILLS = 5


def command(folder: Path, experiment: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "mohaq", "search", str(experiment), "--out", str(folder), *options]


def test_a_search_killed_five_times_finds_the_same_front(small_model: Path, tmp_path: Path) -> None:
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
    started = time.monotonic()
    subprocess.run(command(tmp_path / "whole", experiment), check=True, capture_output=True)
    length_s = time.monotonic() - started

    moments = random.Random(7)
    folder = tmp_path / "parts"
    killed = 0
    for _ in range(KILLS):
        # From before the folder is claimed to after the last evaluation; later tries are shorter, for more is in the ledger.
        process = subprocess.Popen(
            command(folder, experiment, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            process.wait(moments.uniform(0.3, 0.95) * length_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        _, errors = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    assert killed >= 2
    subprocess.run(command(folder, experiment, "--resume"), check=True, capture_output=True)

    for name in ("pareto.csv", "pareto.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for solution in (tmp_path / "whole/solutions").iterdir():
        assert (folder / "solutions" / solution.name).read_bytes() == solution.read_bytes()
    assert Ledger(folder / "ledger.sqlite").counts() == Ledger(tmp_path / "whole/ledger.sqlite").counts()
