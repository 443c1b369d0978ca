"""Mutation testing: small slips are sampled over the code that decides results, and each must fail a test of its file.

    make mutants                                   a hundred, one at a time: an hour or two
    PYTHONPATH=tests/helpers python -m mutants [--number N] [--seed S] [--area NAME] [--without FILE] [--kept VERDICTS]
                                               [--at-once N]

Areas take turns, so that a run that is stopped has a fair sample behind it; with a file for verdicts it goes on where
it was.

mutmut leaves decorated functions out (every compiled kernel, every property), and replaces the others by wrappers, which
the digests of code would notice; cosmic-ray draws no samples, and most of what it writes ends in a TypeError. Here a
mutant is a change of one expression or statement, written into a copy of the working tree.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue

from mutations import Mutation, mutations
from paths import ROOT

PACKAGES = ("simulators", "quant", "search")
CPU_S = 900
TIMEOUT_S = 3600
"""Longer than any area's tests take, of processor time and on the clock: a mutant that takes longer hangs, and would be
noticed."""


@dataclass(frozen=True)
class Area:
    """Code whose mutants the same tests should notice."""

    code: tuple[str, ...]
    """Files, or patterns of them."""
    tests: tuple[str, ...]
    """Files and folders of `tests`, none inside another, the quickest first: a mutant is done with at the first
    failure."""


_PLATFORMS = "simulators/platforms"
_BY_HAND = (f"{_PLATFORMS}/silago/test_by_hand.py", f"{_PLATFORMS}/bitfusion/test_by_hand.py")
_NETWORKS = (
    "simulators/test_independent_simulation.py", f"{_PLATFORMS}/test_mappings.py",
    f"{_PLATFORMS}/test_weight_sparsity.py",
)  # fmt: skip
_DRAWN_NETWORKS = "simulators/run/test_simulate.py"
_VIEWS = ("simulators/views/test_survey.py", "simulators/views/test_roofline_of_odd_layers.py")
AREAS = {
    "arithmetic": Area(
        ("quant/arithmetic/*.py",),
        (
            *(f"quant/arithmetic/test_{name}.py" for name in ("rounding", "thresholds", "products", "integer")),
            "quant/networks/test_sru_recurrence.py", "quant/networks/test_cells.py", "quant/networks/test_scanned_cells.py",
            *(f"quant/arithmetic/test_{name}.py" for name in ("integer_reference", "grid", "delta", "edgedrnn")),
            "quant/graphs/test_recurrence.py",
        ),
    ),
    "bitfusion": Area(
        (f"{_PLATFORMS}/bitfusion/*.py",), (f"{_PLATFORMS}/bitfusion", *_VIEWS, *_NETWORKS, _DRAWN_NETWORKS)
    ),
    "silago": Area((f"{_PLATFORMS}/silago/*.py",), (f"{_PLATFORMS}/silago", *_VIEWS, *_NETWORKS, _DRAWN_NETWORKS)),
    "bit_serial": Area((f"{_PLATFORMS}/bit_serial/*.py",), (f"{_PLATFORMS}/bit_serial", *_VIEWS)),
    "drra2": Area((f"{_PLATFORMS}/drra2/*.py",), (f"{_PLATFORMS}/drra2", *_VIEWS)),
    "edgedrnn": Area((f"{_PLATFORMS}/edgedrnn/*.py",), (f"{_PLATFORMS}/edgedrnn", *_VIEWS)),
    "epiphany": Area((f"{_PLATFORMS}/epiphany/*.py",), (f"{_PLATFORMS}/epiphany", *_VIEWS)),
    "graphs": Area(("quant/graphs/*.py", "quant/graphs/operations/*.py"), ("quant/graphs",)),
    "campaign": Area(("search/campaign/*.py",), ("search/campaign",)),
    "costs": Area(
        ("simulators/lowering/*.py", "simulators/run/*.py"),
        (
            *_BY_HAND, *_NETWORKS, "simulators/lowering", "simulators/run", "simulators/test_conformance.py",
            f"{_PLATFORMS}/bitfusion/test_shared_variants.py",
        ),
    ),
    "methods": Area(
        ("search/methods/*.py",),
        (
            *(f"search/methods/test_{name}.py" for name in ("operators", "choices", "additive", "distinct", "over_hardware", "methods")),
            "search/methods/test_learnt_subset.py", "search/runs/test_learnt_elsewhere.py", "search/runs/test_asynchronous.py",
        ),
    ),
    "evaluation": Area(
        ("search/evaluation/*.py",),
        (
            "search/evaluation/test_ledger.py", "search/evaluation/test_beacon_choices.py",
            "search/runs/test_design_space.py", "search/evaluation/test_results_code.py",
            "search/evaluation/test_beacons.py", "search/evaluation/test_race_shares.py", "search/evaluation/test_no_number.py",
            "search/evaluation/test_finetuning.py", "search/runs/test_thresholds.py", "search/runs/test_fidelity.py",
            "search/runs/test_search.py",
        ),
    ),
    "runs": Area(
        ("search/runs/*.py",),
        (
            "search/runs/test_mohaq_claims.py", "search/runs/test_design_space.py", "search/runs/test_stored_files.py",
            "search/methods/test_distinct.py",
            "search/runs/test_budget.py", "search/runs/test_asynchronous.py", "search/runs/test_fidelity.py",
            "search/runs/test_learnt_elsewhere.py", "search/runs/test_search.py",
            "search/codesign/test_sweep.py",
        ),
    ),
}  # fmt: skip
LEFT_OUT = frozenset({
    "search/evaluation/progress.py", "search/runs/search_display.py", "search/runs/front_plot.py",
    "search/runs/plot_axes.py", "simulators/platforms/bitfusion/published_report.py",
})  # fmt: skip
"""What only shows results."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    area: str
    file: str
    mutation: Mutation

    def __str__(self) -> str:
        return f"{self.file}:{self.mutation.line}: {self.mutation.old}  ->  {self.mutation.new}"


def sampled(areas: list[str], number: int, seed: int, without: frozenset[str]) -> list[Mutant]:
    """So many mutants, as many of each area as of every other, one of each in turn; none of some files."""
    generator = random.Random(seed)
    by_area = []
    for i, area in enumerate(areas):
        everything = [
            Mutant(area, file, mutation)
            for file in _files(area)
            if file not in without
            for mutation in mutations(ROOT / file)
        ]
        share = number // len(areas) + (i < number % len(areas))
        by_area.append(generator.sample(everything, min(share, len(everything))))
    return [mutant for turn in zip_longest(*by_area) for mutant in turn if mutant is not None]


def _files(area: str) -> Iterator[str]:
    for pattern in AREAS[area].code:
        for path in sorted(ROOT.glob(pattern)):
            if (file := path.relative_to(ROOT).as_posix()) not in LEFT_OUT:
                yield file


def copied(folder: Path) -> None:
    """Copy the working tree, without what git ignores, but with kernels that are compiled already."""
    for compiled in (path for package in PACKAGES for path in ROOT.glob(f"{package}/**/__pycache__/*.nb?")):
        (folder / compiled.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(compiled, folder / compiled.relative_to(ROOT))
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (source := ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)


def failure(folder: Path, tests: Sequence[str]) -> str | None:
    """The first of some tests that fails on a copy of the tree, or None."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    try:
        found = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"more than {TIMEOUT_S} s"
    if found.returncode == 0:
        return None
    said = [line for line in found.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return said[0].split(" - ")[0].split(" ", 1)[1] if said else f"pytest ended with {found.returncode}"


class AlwaysFailsError(Exception):
    """A test that fails without a mutant says nothing of one."""


@dataclass
class Tree:
    """A copy of the working tree."""

    folder: Path
    passing: set[str] = field(default_factory=set)
    """Tests that noticed a mutant, and pass without one."""

    def killed(self, mutant: Mutant) -> str | None:
        """What notices a mutant, or None. Raises AlwaysFailsError where that fails without it too."""
        path = self.folder / mutant.file
        before = path.read_bytes()
        path.write_bytes(mutant.mutation.applied(before))
        try:
            by = failure(self.folder, [f"tests/{name}" for name in AREAS[mutant.area].tests])
        finally:
            path.write_bytes(before)
        if by is not None and by.startswith("tests/") and by not in self.passing:
            if failure(self.folder, [by]):
                raise AlwaysFailsError(by)
            self.passing.add(by)
        return by


def verdicts(kept: Path | None) -> dict[str, str]:
    """Lines of a run that was stopped, by their mutants."""
    if kept is None or not kept.exists():
        return {}
    return {line.split("\t")[2]: line for line in kept.read_text().splitlines()}


def main() -> int:
    """Print the verdict of each mutant, and their score; 1 if one survives."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--area", choices=AREAS, action="append")
    parser.add_argument("--without", metavar="FILE", action="append", default=[])
    parser.add_argument("--kept", metavar="VERDICTS", type=Path, help="file of verdicts, to which new ones are added")
    parser.add_argument("--at-once", metavar="N", type=int, default=1, help="mutants tried beside each other")
    options = parser.parse_args()
    mutants = sampled(options.area or list(AREAS), options.number, options.seed, frozenset(options.without))
    known, survivors = verdicts(options.kept), 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary, ThreadPoolExecutor(options.at_once) as threads:
        trees: SimpleQueue[Tree] = SimpleQueue()
        for i in range(options.at_once):
            tree = Tree(Path(temporary) / str(i) / "mohaq")
            copied(tree.folder)
            trees.put(tree)

        def tried(mutant: Mutant) -> str:
            tree = trees.get()
            try:
                return _verdict(tree, mutant)
            finally:
                trees.put(tree)

        for mutant in mutants:
            if line := known.get(str(mutant)):
                survivors += not line.startswith("killed")
                print(line)
        new = [threads.submit(tried, mutant) for mutant in mutants if str(mutant) not in known]
        try:
            for verdict in as_completed(new):
                line = verdict.result()
                survivors += not line.startswith("killed")
                print(line, flush=True)
                if options.kept:
                    with options.kept.open("a") as file:
                        file.write(line + "\n")
        finally:
            threads.shutdown(cancel_futures=True)  # whoever stops this waits for no other mutants
    print(f"{len(mutants) - survivors} of {len(mutants)} killed")
    return int(survivors > 0)


def _verdict(tree: Tree, mutant: Mutant) -> str:
    started = time.monotonic()
    try:
        by = tree.killed(mutant)
        verdict = "survived" if by is None else "killed"
    except AlwaysFailsError as error:
        verdict, by = "undecided", f"fails without a mutant too: {error}"
    return f"{verdict}\t{time.monotonic() - started:.0f} s\t{mutant}\t{by or ''}"


if __name__ == "__main__":
    sys.exit(main())
