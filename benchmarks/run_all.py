"""Run the benchmarks one after the other and write docs/benchmarks.md from what they print.

    python benchmarks/run_all.py [NAME …] [--missing] [--page]

Each benchmark's last line, JSON, is kept in benchmarks/results/NAME.json with its command, date, machine and versions;
the page is drawn from these files, those of earlier runs included. `--missing` runs what has no file yet: a session
that was stopped goes on so. The searches among them keep their runs in runs/benchmarks, and continue them."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from simulators.inputs.cores import usable_cores

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
LIBRARIES = ("numpy", "numba", "torch", "pymoo")

PUBLISHED = ("runs/benchmarks/published", "--every", "4", "--generations", "15", "--only")
INFERENCE_ONLY = (
    "mohaq-1-memory",
    "mohaq-2-silago",
    "mohaq-2-silago-simulated",
    "mohaq-3-bitfusion",
    "mohaq-3-bitfusion-simulated",
)

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "start_up": (),
    "engines": (),
    "engines_mesh": ("--mesh",),
    "candidate": (),
    "candidate_new": ("--new",),
    "batch": (),
    "bit_serial": (),
    "delta": (),
    "published_search": (),
    "caches": (),
    "sweep": ("1000", "4"),
    "mapping_quality": (),
    "monotonicity": (),
    "candidate_error": ("sru", "lstm", "gru", "ligru"),
    "own_model": (),
    "recurrence": (),
    "training": (),
    "search_overhead": (),
    "agent_overhead": (),
    "error_model": (),
    "executors": (),
    "asynchronous": (),
    "transfer": (),
    "population": (),
    "methods": (
        "runs/benchmarks/methods",
        "--errors",
        "benchmarks/data/sru_every_8.csv",
        "--seeds",
        *map(str, range(1, 11)),
    ),
    "published_experiments": (*PUBLISHED, *INFERENCE_ONLY),
    "published_beacons": (
        "runs/benchmarks/beacons",
        "--every",
        "4",
        "--generations",
        "15",
        "--seeds",
        *map(str, range(1, 6)),
        "--plot",
        "docs/beacons.png",
        "--only",
        "mohaq-3-bitfusion",
        "mohaq-3-bitfusion-beacons",
    ),
}
"""Arguments by benchmark, the quick ones first: all but the last three take a minute or a few, `methods` ten,
`published_experiments` an hour, `published_beacons`, which retrains, hours. A program that is measured in two ways has
a name for each."""
OF_PROGRAM = {
    "engines_mesh": "engines",
    "candidate_new": "candidate",
    "published_beacons": "published_experiments",
}
"""The program of each benchmark that is not called like it."""


def program(name: str) -> str:
    """A benchmark's file, from the project's folder."""
    return f"benchmarks/{OF_PROGRAM.get(name, name)}.py"


def machine() -> str:
    """The processor and how much of it may be used."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{usable_cores()} cores of {name}, {platform.system()}, Python {platform.python_version()}"


def measure(name: str) -> None:
    """Run one benchmark and keep what it says. Raises CalledProcessError."""
    command = ["python", program(name), *BENCHMARKS[name]]
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            if last:
                print(f"  {last}", flush=True)
            last = line.rstrip()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    result = {
        "command": " ".join(command),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": {library: version(library) for library in LIBRARIES},
        "seconds": round(time.perf_counter() - began, 1),
        "figures": json.loads(last),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def page() -> str:
    """The page, from the results that are there."""
    lines = [
        "# Benchmarks",
        "",
        "`make benchmarks` measures all of this anew and writes this page. Machines are noisy and differ: quote ratios"
        " of figures of one run.",
        "",
    ]
    for name in BENCHMARKS:
        lines += [f"## {name}", "", *description(name), ""]
        path = RESULTS / f"{name}.json"
        if not path.exists():
            lines += [f"Not measured yet: `python benchmarks/run_all.py {name}`.", ""]
            continue
        result = json.loads(path.read_text())
        versions = ", ".join(f"{library} {number}" for library, number in result["versions"].items())
        lines += [
            *table(result["figures"]),
            "",
            f"`{result['command']}`, {result['date']}, {result['seconds']:g} s on {result['machine']}; {versions}.",
            "",
        ]
    return "\n".join(lines)


def description(name: str) -> Iterator[str]:
    """What a benchmark says of itself, without its usage."""
    text = (ROOT / program(name)).read_text().split('"""')[1]
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if not part.startswith("    ")]
    first, *others = paragraphs
    yield " ".join([first, *(other.replace("Ends with one line of JSON.", "").strip() for other in others)]).strip()


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """A row a figure; figures that have the same parts stand in columns."""
    parts = [value for value in figures.values() if isinstance(value, dict)]
    columns = list(parts[0]) if parts and len(parts) == len(figures) else []
    if columns and all(list(part) == columns for part in parts):
        yield "| | " + " | ".join(columns) + " |"
        yield "|---" * (len(columns) + 1) + "|"
        for name, part in figures.items():
            yield f"| {name} | " + " | ".join(shown(part[column]) for column in columns) + " |"
        return
    yield "| figure | value |"
    yield "|---|---|"
    for name, value in flat(figures):
        yield f"| {name} | {shown(value)} |"


def flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure with the names that lead to it."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name} · ")
        else:
            yield before + name, value


def shown(value: Any) -> str:
    """A figure with as many digits as a noisy machine can tell."""
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the benchmarks and write docs/benchmarks.md.")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME")
    parser.add_argument("--missing", action="store_true", help="only those that have no result yet")
    parser.add_argument("--page", action="store_true", help="write the page from the results that are there")
    options = parser.parse_args()
    names = [] if options.page else options.names or list(BENCHMARKS)
    if options.missing:
        names = [name for name in names if not (RESULTS / f"{name}.json").exists()]
    failed = []
    for number, name in enumerate(names, 1):
        print(f"{number} of {len(names)}: {name}", flush=True)
        try:
            measure(name)
        except subprocess.CalledProcessError as error:  # it has said why; the others are measured all the same
            failed.append(f"{name} ended with exit code {error.returncode}")
        PAGE.write_text(page())
    PAGE.write_text(page())
    if failed:
        sys.exit(f"not measured: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
