"""A number of damaged inputs, one after the other, and what became of them."""

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from fuzz.cases import SET, Case, arguments, within
from fuzz.mutations import MARKS, ODD, damaged
from fuzz.server import Action, Outcome, here, run

OTHER_KIND = 0.08
"""Share of inputs whose file becomes something else under its name."""
OTHER_CONTENT = 0.04
"""Share of inputs whose file has what another reader's file has."""


class Campaign:
    """Damages the cases' files in turn; every input follows from the seed and its number."""

    def __init__(self, cases: list[Case], folder: Path, seed: int, keep: Path | None = None):
        self.cases, self.seed = cases, seed
        self.faults: dict[str, str] = {}
        """Kind and origin of each fault → the first input that showed it."""
        self._folder, self._keep = folder, keep
        self._counts: Counter[str] = Counter()
        self._codes: Counter[int] = Counter()
        self._found: Counter[str] = Counter()
        self._slowest = self._largest = 0.0

    def go(self, seconds: float, numbers: Iterable[int]) -> None:
        """Try the inputs of these numbers until the time is over."""
        self._warm()
        end = time.monotonic() + seconds
        for number in numbers:
            if time.monotonic() > end:
                break
            self._try(number)

    def _warm(self) -> None:
        """Do here what is done with whole files, so that children need not load libraries and kernels. Raises
        RuntimeError where that fails: a fuzzer of broken files finds nothing."""
        for case in self.cases:
            for action in case.actions:
                copy = self._copied(case)
                outcome = (run if case.stays else here)(within(copy, action), self._folder / "log")
                if outcome.fault or outcome.code:
                    raise RuntimeError(f"{case.name}: {outcome.code}: {outcome.output[-3000:]}")

    def _copied(self, case: Case) -> Path:
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(case.folder, copy, symlinks=True)
        return copy

    def _try(self, number: int) -> None:
        rng = random.Random(f"{self.seed} {number}")
        case = self.cases[number % len(self.cases)]
        copy = self._copied(case)
        if case.files:
            victim = rng.choice(case.files)
            told = f"{case.name} {victim}"
            self._damage(copy / victim, rng)
            action = rng.choice(case.actions)
        else:
            action, told = _with_odd_set(rng)
        outcome = run(within(copy, action), self._folder / "log")
        self._note(f"{told} (seed {self.seed}, input {number})", case, outcome)

    def _damage(self, path: Path, rng: random.Random) -> None:
        kind = rng.random()
        if kind < OTHER_KIND:
            rng.choice(OTHERS)(path)
        elif kind < OTHER_KIND + OTHER_CONTENT:
            other = rng.choice([case for case in self.cases if case.files])
            shutil.copy(other.folder / rng.choice(other.files), path)
        else:
            path.write_bytes(damaged(path.read_bytes(), path.name, rng))

    def _note(self, told: str, case: Case, outcome: Outcome) -> None:
        self._counts[case.name] += 1
        self._codes[outcome.code] += 1
        self._slowest = max(self._slowest, outcome.seconds)
        self._largest = max(self._largest, outcome.peak_bytes / 2**20)
        fault = outcome.fault or ("no line" if outcome.code == 2 and not outcome.output.strip() else "")
        if not fault:
            return
        kind = f"{fault}: {outcome.origin if fault == 'traceback' else case.name}"
        self._found[kind] += 1
        if kind in self.faults:
            return
        self.faults[kind] = told
        if self._keep:
            kept = self._keep / f"{len(self.faults):03d}"
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "fault.txt").write_text(f"{kind}\n{told}\n{outcome.seconds:.1f} s\n{outcome.output[-5000:]}\n")

    def summary(self) -> str:
        """How many inputs of which readers, exit codes, extremes, and every kind of fault."""
        lines = [
            f"seed {self.seed}: {sum(self._counts.values())} inputs: "
            + ", ".join(f"{name} {count}" for name, count in self._counts.items()),
            f"exit codes {dict(self._codes)}; slowest {self._slowest:.1f} s of processor time, largest {self._largest:.0f} MiB",
        ]
        return "\n".join(
            [*lines, *(f"{self._found[kind]} x {kind}\n    first: {told}" for kind, told in self.faults.items())]
        )


def _become(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def become(path: Path) -> None:
        path.unlink()
        make(path)

    return become


def _huge(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(3 << 30)


def _sparse(path: Path) -> None:
    with open(path, "r+b") as file:
        file.truncate(3 << 30)


OTHERS: tuple[Callable[[Path], None], ...] = (
    _become(os.mkfifo), _become(os.mkdir), _become(lambda path: os.symlink("/dev/zero", path)), _sparse,
    _become(lambda path: os.symlink("/dev/tty", path)), _become(lambda path: os.symlink(path.name, path)),
    _become(lambda path: os.symlink("nowhere", path)), _become(lambda path: None), _become(Path.touch), _become(_huge),
    _become(lambda path: os.symlink("/proc/self/mem", path)), _become(lambda path: os.symlink("/bin/ls", path)),
)  # fmt: skip
"""What stands under a file's name instead of it."""


def _with_odd_set(rng: random.Random) -> tuple[Action, str]:
    key, _, value = rng.choice(SET).partition("=")
    action = rng.randrange(4)
    if action == 0:
        value = str(rng.choice(ODD))
    elif action == 1:
        value = damaged(value.encode(), "a.yaml", rng).decode("utf-8", "replace").replace("\0", "")[:100_000]
    elif action == 2:
        key = rng.choice((key + ".x", "", key[:-1], ".".join(["a"] * rng.choice((3, 40, 20_000))), "x\n", "²"))
    for mark, meant in MARKS.items():
        value = value.replace(mark, meant)
    change = f"{key}={value}"
    words = (
        ("arch", "show", "bitfusion")
        if rng.random() < 0.5
        else ("simulate", "t.yaml", "--arch", "bitfusion", "--json", "o.json")
    )
    return arguments(*words, "--set", change), f"set {change[:80]!r}"
