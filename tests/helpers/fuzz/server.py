"""Commands in forked processes, each with limits of time and memory. The libraries are loaded once."""

import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10.0
LOOK_S = 0.1
MOST_BYTES = 1 << 30
DEFECT_FREE = (0, 2)
"""Exit codes: done, and refused in one line."""

Action = Callable[[], None]
"""What a forked process does: it ends in SystemExit, or normally."""


@dataclass(frozen=True)
class Outcome:
    """What became of a command."""

    code: int
    """Exit code, or the number of the signal that ended it, negative."""
    seconds: float
    """Seconds of processor time."""
    peak_bytes: int
    """Largest resident memory."""
    output: str
    """Standard output and error."""

    @property
    def fault(self) -> str:
        """What must not be, in a word; empty where all is well."""
        if self.seconds >= SECONDS:
            return "hang"
        if self.peak_bytes > MOST_BYTES or "MemoryError" in self.output:
            return "memory"
        if "Traceback (most recent call last)" in self.output:
            return "traceback"
        return "" if self.code in DEFECT_FREE else f"exit {self.code}"

    @property
    def origin(self) -> str:
        """The innermost line of this project in a traceback with its error: by this equal faults are known."""
        lines = self.output.splitlines()
        at = [i for i, line in enumerate(lines) if line.startswith("  File ") and "/site-packages/" not in line
              and any(f"/{package}/" in line for package in ("simulators", "quant", "search", "mohaq"))]  # fmt: skip
        where = lines[at[-1]].split('"')[1].rsplit("/", 3)[1:] if at else ["?"]
        number = lines[at[-1]].split("line ")[1].split(",")[0] if at else ""
        return f"{'/'.join(where)}:{number} {lines[-1][:100] if lines else ''}"


def run(action: Action, log: Path) -> Outcome:
    """Do something in a child; `log` takes what it prints."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _do(action, log)
    handle = os.pidfd_open(child)
    try:
        if not (ended := _ends(handle, child)):
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(handle)
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime if ended else SECONDS
    output = log.read_text(errors="replace") if log.exists() else ""
    return Outcome(os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss << 10, output)


def _ends(handle: int, child: int) -> bool:
    """Whether a child ends before it has used SECONDS of processor time or has waited for as long: one that is ready and
    gets no processor does not hang."""
    used, since = 0.0, time.monotonic()
    while not select.select([handle], [], [], LOOK_S)[0]:
        state, *numbers = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        now = (int(numbers[10]) + int(numbers[11])) / os.sysconf("SC_CLK_TCK")
        if now > used or state == "R":
            used, since = now, time.monotonic()
        if used >= SECONDS or time.monotonic() - since >= SECONDS:
            return False
    return True


def here(action: Action, log: Path) -> Outcome:
    """Do something in this process, without limits."""
    code = 0
    with open(log, "w") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            action()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    return Outcome(code, 0.0, 0, log.read_text())


def _do(action: Action, log: Path) -> None:
    """Never returns."""
    code = 70
    try:
        to = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(to, 1)
        os.dup2(to, 2)
        sys.stdout, sys.stderr = (open(handle, "w", closefd=False) for handle in (1, 2))  # noqa: SIM115 (pytest has others)
        # Address space is no measure of memory: it only stops what would fill the machine before it is measured.
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2 * MOST_BYTES, used + 2 * MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        action()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
