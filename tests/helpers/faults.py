"""Commands that are stopped at random moments: `python tests/helpers/faults.py FOLDER [--moments N] [CASE …]`.

Every case runs once to its end. Then it is begun anew and stopped again and again, by SIGKILL or by the signals of a
terminal, and goes on until it ends, where its results must be those of the first time. After each stop, what is
finished is still there, no file that has a result's name holds anything but the result, and no process is left. Of the
cases of workers, one of these dies instead, and the command comes to the same results without being asked again.
"""

import argparse
import csv
import filecmp
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_cases import Case, cases_of

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STARTED_S = 0.3
"""Until Python itself has started."""
PATIENCE_S = 10.0
"""For processes to be gone after a stop."""
FRONTS = ("pareto.csv", "pareto.json", "sweep.csv", "sweep.json")
ON_TEST = ("held_out", "error_dev", "error_test", "test_change", "dominated_on_test_by", "lost_on_test")
"""What the keys of those files begin with that are filled when a front is held against test and all of dev."""
WORKER = "multiprocessing.spawn"
"""In the command line of a process that evaluates candidates, of a pool as of Dask."""


@dataclass
class Stops:
    """A case that is stopped at random moments, in one folder. Raises AssertionError for what must not be."""

    case: Case
    whole: Path
    """The folder of the run that nothing stopped."""
    folder: Path
    moments: random.Random
    stopped: int = 0
    """How often it was, before its end."""

    def stop(self, number: signal.Signals, after_s: float) -> None:
        """Begin, or go on, and stop after so many seconds, the processes that the command began too, as a terminal does:
        but by SIGKILL and SIGTERM only the command."""
        before = evaluations(self.folder)
        process = self._begun()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=after_s)
        send = os.kill if number in (signal.SIGKILL, signal.SIGTERM) else os.killpg
        if running := process.poll() is None:
            send(process.pid, number)
        errors = process.communicate()[1].decode()
        self.stopped += running and process.returncode != 0
        # Behind its end, while Python closes down, a signal is the system's.
        codes = {128 + number} if number != signal.SIGKILL else {-number}
        codes |= {0, -number} if self.is_complete else set()
        assert process.returncode in codes, f"exit code {process.returncode}: {errors}"
        assert "Traceback" not in errors, errors
        assert "Exception ignored" not in errors, errors
        if process.returncode > 0:
            assert errors.count("mohaq: ") == 1, errors
        nothing_is_left(process.pid)
        self.nothing_is_spoilt()
        assert before.items() <= evaluations(self.folder).items()

    def lose_a_worker(self, after_s: float) -> None:
        """Begin, end a worker after so many seconds by SIGKILL, if there is one then, and have the command go on to its end."""
        process = self._begun()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=after_s)
        workers = [pid for pid, command in processes_of(process.pid).items() if WORKER in command]
        with suppress(ProcessLookupError):
            if workers:
                os.kill(self.moments.choice(workers), signal.SIGKILL)
                self.stopped += 1
        errors = process.communicate()[1].decode()
        if process.returncode and "--dask" in self.case.arguments:  # a cluster of Dask starts whole or not at all
            assert (process.returncode, errors.count("mohaq: ")) == (2, 1), errors
        else:
            assert process.returncode == 0, f"exit code {process.returncode}: {errors}"
        assert "Traceback" not in errors, errors
        nothing_is_left(process.pid)
        self.nothing_is_spoilt()
        if process.returncode:
            self.finish()
        assert self.is_complete

    def _begun(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.case.command(self.folder), env=self.case.environment(), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    @property
    def is_complete(self) -> bool:
        """Whether all results are there."""
        return self.case.files(self.folder).keys() == self.case.files(self.whole).keys()

    def finish(self, kernels: Path | None = None) -> None:
        """Go on to the end, where all is as in the whole run; with a folder for compiled kernels."""
        environment = self.case.environment(kernels)
        ended = subprocess.run(
            self.case.command(self.folder), env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        for name, path in self.case.files(self.folder).items():
            assert filecmp.cmp(path, self.whole / name, shallow=False), f"{path}: not as in the whole run"
        assert self.is_complete

    def nothing_is_spoilt(self) -> None:
        """What has a result's name is the result, or, of a search that was stopped while its front was held against
        test, what was found before that."""
        for name, path in self.case.files(self.folder).items():
            whole = self.whole / name
            is_it = filecmp.cmp(path, whole, shallow=False)
            if not is_it and name.rpartition("/")[2] in FRONTS:
                early = _content(path)
                is_it = not _of_test(early) and _before_test(early) == _before_test(_content(whole))
            assert is_it, f"{path}: not as in the whole run"


def _content(path: Path) -> Any:
    """A table's rows, or what a JSON file holds."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    return json.loads(path.read_text())


def _before_test(content: Any) -> Any:
    """What files of a front hold, but for what is known only once it was held against test and all of dev."""
    if isinstance(content, dict):
        return {key: _before_test(value) for key, value in content.items() if not key.startswith(ON_TEST)}
    return [*map(_before_test, content)] if isinstance(content, list) else content


def _of_test(content: Any) -> bool:
    """Whether files of a front hold anything that is known only once it was held against test."""
    if isinstance(content, dict):
        return any(
            value not in (None, "", [], {}) if key.startswith(ON_TEST) else _of_test(value)
            for key, value in content.items()
        )
    return isinstance(content, list) and any(map(_of_test, content))


def evaluations(folder: Path) -> dict[str, tuple[str, ...]]:
    """Recorded evaluations by all that they are of."""
    if not (folder / "ledger.sqlite").exists():
        return {}
    with closing(sqlite3.connect(f"file:{folder}/ledger.sqlite?mode=ro", uri=True)) as database:
        try:
            return {str(row[:4]): row for row in database.execute("SELECT * FROM errors")}
        except sqlite3.OperationalError:  # stopped before there were tables
            return {}


def nothing_is_left(session: int) -> None:
    """Wait for the processes of a session to be gone. Raises AssertionError for those that stay."""
    deadline = time.monotonic() + PATIENCE_S
    while left := processes_of(session):
        assert time.monotonic() < deadline, f"processes are left: {left}"
        time.sleep(0.05)


def processes_of(session: int) -> dict[int, str]:
    """Numbers and command lines of the processes of a session (Linux)."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return found


def run_case(case: Case, work: Path, name: str, moments: int, seed: int, signals: Sequence[signal.Signals]) -> str:
    """Stop a case so often by each signal in turn, beginning anew when it comes to its end; a line on how that went."""
    for folder in work.glob(f"{name}-[0-9]*"):
        shutil.rmtree(folder)
    whole = work / f"whole-{name}"
    shutil.rmtree(whole, ignore_errors=True)
    if case.again:
        for folder in (whole, work / f"{name}-0"):
            folder.mkdir()
    started = time.monotonic()
    chances = random.Random(seed)
    Stops(case, whole, whole, chances).finish()
    assert case.files(whole), f"{name}: {case.results}: no such results"
    length_s = time.monotonic() - started
    if case.compiles:
        kernels = work / f"{name}-kernels"
        shutil.rmtree(kernels, ignore_errors=True)
        Stops(case, whole, work / f"{name}-0-compiled", chances).finish(kernels)
        assert any(kernels.rglob("*.nbc")), "nothing was compiled"
    runs = [Stops(case, whole, work / f"{name}-0", chances)]
    for number in range(moments):
        current, after_s = runs[-1], chances.uniform(STARTED_S, length_s)
        if case.of_workers:
            current.lose_a_worker(after_s)
        else:
            if case.again and not current.stopped:
                current.finish()
            current.stop(signals[number % len(signals)], after_s)
        if current.is_complete and not case.again:
            current.finish()
            runs.append(Stops(case, whole, work / f"{name}-{len(runs)}", chances))
    runs[-1].finish()
    stopped = sum(run.stopped for run in runs)
    return f"{name}: {stopped} of {moments} stops before the end, {len(runs)} runs of {length_s:.1f} s, all as whole"


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", action="store_true", help="SIGINT, SIGTERM and SIGHUP in turn, and not SIGKILL")
    options = parser.parse_intermixed_args()  # cases may stand behind options
    options.work.mkdir(parents=True, exist_ok=True)
    cases = cases_of(options.work)
    for name in options.cases or cases:
        signals = SIGNALS if options.signals else (signal.SIGKILL,)
        print(run_case(cases[name], options.work, name, options.moments, options.seed, signals), flush=True)


if __name__ == "__main__":
    main()
