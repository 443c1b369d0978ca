"""Commands that are stopped at random moments: `python tests/helpers/faults.py FOLDER [--moments N] [CASE …]`.

Every case runs once to its end. Then it is begun anew and stopped again and again, by SIGKILL or by the signals of a
terminal, and goes on until it ends, where its results must be those of the first time. After each stop, what is
finished is still there, no file that has a result's name holds anything but the result, and no process is left.
"""

import argparse
import filecmp
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STARTED_S = 0.3
"""Until Python itself has started."""
PATIENCE_S = 10.0
"""For processes to be gone after a stop."""


@dataclass(frozen=True)
class Case:
    """A command that `--resume` continues, or one that does all of its work again."""

    arguments: tuple[str, ...]
    """What follows `mohaq`; OUT stands for the run's folder."""
    results: tuple[str, ...]
    """Patterns of the files in that folder which are the same in the end."""
    again: bool = False
    """Whether it is stopped while former results lie there, and takes no `--resume`."""

    def command(self, folder: Path) -> list[str]:
        """The command that does the work, or goes on with it, in a folder."""
        given = [argument.replace("OUT", str(folder)) for argument in self.arguments]
        return [sys.executable, "-m", "mohaq", *given, *([] if self.again else ["--resume"])]

    def files(self, folder: Path) -> Mapping[str, Path]:
        """The results that are there."""
        found = (path for pattern in self.results for path in folder.glob(pattern))
        return {str(path.relative_to(folder)): path for path in found}


def cases_of(work: Path, model: Path) -> dict[str, Case]:
    """All cases, with files of theirs in a folder; `model` is a small recogniser."""
    common = {"model": str(model), "steps": 5, "population": 8, "offspring": 4, "method": "nsga2"}
    experiments = {
        "search": {**common, "generations": 3},
        "beacons": {**common, "generations": 3, "beacons": {"threshold": 2.0, "above": 0.2, "below": 60.0, "most": 2}},
        "sweep": {
            **common, "candidates": {"random": 8},
            "hardware": {
                "archs": ["bitfusion"],
                "grid": {"array.rows": [4, 8, 16], "dram.bits_per_cycle": [64, 96, 128, 192]},
            },
        },
    }  # fmt: skip
    for name, content in experiments.items():
        (work / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **content}))
    found = ("pareto.csv", "pareto.json", "solutions/*.yaml", "run.yaml")
    swept = ("sweep.csv", "sweep.json", "fronts.csv", "variants.csv", "points.npz")
    return {
        "train": Case(("train", "--small", "--epochs", "3", "--out", "OUT"), ("model.safetensors",)),
        "retrain": Case(
            ("retrain", "--bits", "2", "--model", str(model), "--epochs", "2", "--out", "OUT"), ("retrained.safetensors",)
        ),
        "search": Case(("search", str(work / "search.yaml"), "--out", "OUT"), found),
        "workers": Case(("search", str(work / "search.yaml"), "--workers", "2", "--out", "OUT"), found),
        "dask": Case(("search", str(work / "search.yaml"), "--dask", "--workers", "2", "--out", "OUT"), found),
        "beacons": Case(("search", str(work / "beacons.yaml"), "--out", "OUT"), found),
        "sweep": Case(("sweep", str(work / "sweep.yaml"), "--workers", "2", "--out", "OUT"), swept),
        "export": Case(
            ("export", "--bits", "4x8", "--model", str(model), "--out", "OUT"), ("model.json", "model.safetensors"), True
        ),
        "report": Case(("report", str(work / "whole-search"), "--out", "OUT/page.html"), ("page.html",), True),
    }  # fmt: skip


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
        process = subprocess.Popen(
            self.case.command(self.folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
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
        self._nothing_is_spoilt()
        assert before.items() <= evaluations(self.folder).items()

    @property
    def is_complete(self) -> bool:
        """Whether all results are there."""
        return self.case.files(self.folder).keys() == self.case.files(self.whole).keys()

    def finish(self) -> None:
        """Go on to the end, where all is as in the whole run."""
        ended = subprocess.run(self.case.command(self.folder), capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        self._nothing_is_spoilt()
        assert self.is_complete

    def _nothing_is_spoilt(self) -> None:
        """What has a result's name is the result."""
        for name, path in self.case.files(self.folder).items():
            assert filecmp.cmp(path, self.whole / name, shallow=False), f"{path}: not as in the whole run"


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


def processes_of(session: int) -> list[str]:
    """Command lines of the processes of a session (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def run_case(case: Case, work: Path, name: str, moments: int, seed: int, signals: Sequence[signal.Signals]) -> str:
    """Stop a case so often by each signal in turn, beginning anew when it comes to its end; a line on how that went."""
    whole = work / f"whole-{name}"
    if case.again:
        for folder in (whole, work / f"{name}-0"):
            folder.mkdir(exist_ok=True)
    started = time.monotonic()
    subprocess.run(case.command(whole), check=True, capture_output=True)
    length_s = time.monotonic() - started
    chances = random.Random(seed)
    runs = [Stops(case, whole, work / f"{name}-0", chances)]
    for number in range(moments):
        current = runs[-1]
        if case.again and not current.stopped:
            current.finish()
        current.stop(signals[number % len(signals)], chances.uniform(STARTED_S, length_s))
        if current.is_complete and not case.again:
            current.finish()
            runs.append(Stops(case, whole, work / f"{name}-{len(runs)}", chances))
    runs[-1].finish()
    return (
        f"{name}: {sum(run.stopped for run in runs)} of {moments} stops before the end, {len(runs)} runs, all as whole"
    )


def small_model(work: Path) -> Path:
    """A small recogniser, trained once for a folder."""
    path = work / "small" / "model.safetensors"
    if not path.exists():
        subprocess.run([sys.executable, "-m", "mohaq", "train", "--small", "--out", path.parent], check=True)
    return path


def main(report: Callable[[str], None] = print) -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", action="store_true", help="SIGINT, SIGTERM and SIGHUP in turn, and not SIGKILL")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    cases = cases_of(options.work, small_model(options.work))
    for name in options.cases or cases:
        signals = SIGNALS if options.signals else (signal.SIGKILL,)
        report(run_case(cases[name], options.work, name, options.moments, options.seed, signals))


if __name__ == "__main__":
    main()
