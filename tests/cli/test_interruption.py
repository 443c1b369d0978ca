"""Signals that end a command: one line, the shell's exit code, what was begun put in order, no process left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import SIGNALS, evaluations, nothing_is_left
from paths import ROOT

from mohaq.interruption import Interruption
from simulators import InputError


@pytest.fixture
def hangs_up() -> Iterator[None]:
    """A hang-up is not ignored, as it is where the tests run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.usefixtures("hangs_up")
def test_a_signal_ends_what_is_done_and_decides_the_exit_code(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(n) for n in SIGNALS]
    put_in_order = []

    def work() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            put_in_order.append(True)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as stopped, Interruption():
        work()
    assert put_in_order
    assert stopped.value.code == 128 + number
    assert capsys.readouterr().err.count("continues with --resume\n") == 1
    assert [signal.getsignal(n) for n in SIGNALS] == before


def test_whatever_a_library_makes_of_a_signal_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            raise InputError("the cluster is lost") from None

    with pytest.raises(SystemExit) as stopped, Interruption() as interruption, interruption.deciding():
        work()
    assert stopped.value.code == 143
    assert "lost" not in capsys.readouterr().err


def test_without_a_signal_nothing_is_changed() -> None:
    with pytest.raises(InputError, match="as it is"), Interruption() as interruption, interruption.deciding():
        raise InputError("as it is")


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def begun(*arguments: str | Path) -> subprocess.Popen[str]:
    """A program of Python in a session of its own."""
    return subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/helpers'}"}, start_new_session=True,
    )  # fmt: skip


def ended_in_order(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """It said one line and the shell's exit code, and left no process."""
    errors = process.communicate()[1]
    assert process.returncode == 128 + number, errors
    assert errors.endswith("continues with --resume\n")
    assert errors.count("\n") == 1
    nothing_is_left(process.pid)


SEARCH = """
import sys
from slow_stand_in import main
from mohaq.interruption import Interruption
with Interruption() as interruption, interruption.deciding():
    folder, notes, *method = sys.argv[1:]
    main(folder, notes, "0.05", "0", "workers", "2", *method)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "method"), [(signal.SIGINT, ["random"]), (signal.SIGTERM, [])])
def test_a_search_with_workers_ends_in_order(number: signal.Signals, method: list[str], tmp_path: Path) -> None:
    """All processes of the terminal get SIGINT, the command alone SIGTERM. Without the barrier of a generation, and
    with it."""
    folder = tmp_path / "run"
    process = begun("-c", SEARCH, folder, tmp_path / "notes", *method)
    deadline = time.monotonic() + 60
    while not (before := evaluations(folder)) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (os.kill if number == signal.SIGTERM else os.killpg)(process.pid, number)
    ended_in_order(process, number)
    assert before.items() <= evaluations(folder).items()


SWEEP = """
from slow_stand_in import SlowOnEach
from mohaq.interruption import Interruption
from simulators import load_arch
from simulators.run.parallel_sweep import simulate_on_all
if __name__ == "__main__":
    with Interruption() as interruption, interruption.deciding():
        for done in simulate_on_all(SlowOnEach(0.05), [load_arch("bitfusion"), load_arch("silago")] * 500, 2):
            print(done, flush=True)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("hangs_up")
def test_a_terminal_that_hangs_up_ends_a_sweep_in_order(tmp_path: Path) -> None:
    """All processes get the signal, what accounts for multiprocessing's semaphores too: it must outlive the pools."""
    (tmp_path / "sweep.py").write_text(SWEEP)
    process = begun(tmp_path / "sweep.py")
    assert process.stdout is not None
    assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGHUP)
    ended_in_order(process, signal.SIGHUP)
