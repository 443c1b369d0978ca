"""The fuzzer for a short time, and that it notices what it looks for."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fuzz.server import run
from paths import ROOT


@pytest.mark.slow
def test_no_damaged_file_ends_in_anything_but_one_line() -> None:
    """`make fuzz` does so for longer, from another seed each time."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests/helpers")))}
    command = [sys.executable, "-m", "fuzz", "--seconds", "8", "--seed", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def raises() -> None:
    raise KeyError("x")


def refuses() -> None:
    print("mohaq: x")
    sys.exit(2)


def fills() -> None:
    kept = bytearray(1700 << 20)
    kept[::4096] = bytes(len(kept[::4096]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "fault"),
    [(refuses, ""), (lambda: None, ""), (raises, "traceback"), (lambda: sys.exit(70), "exit 70"), (fills, "memory"),
     (lambda: os.kill(os.getpid(), 15), "exit -15")],
)  # fmt: skip
def test_what_must_not_be_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action, fault: str) -> None:
    own = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    monkeypatch.setattr("fuzz.server.MOST_BYTES", own + (1 << 30))  # a child has what the tests before left here
    assert run(action, tmp_path / "log").fault == fault


def never_ends() -> None:
    while True:
        pass


@pytest.mark.parametrize("action", [lambda: time.sleep(60), never_ends])
def test_what_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action) -> None:
    monkeypatch.setattr("fuzz.server.SECONDS", 0.2)
    outcome = run(action, tmp_path / "log")
    assert outcome.fault == "hang"
    assert outcome.code == -9
