"""Hold EdgeDRNN's cycle law, and its steps on both engines, against tables of the RTL's cycles, step by step.

    python -m simulators.platforms.edgedrnn.validate TABLE.csv …

Prints how many steps agree to the cycle and each that does not, and exits with 1 if any disagrees. A table has the
columns configuration, num_pe, memory_latency, input_size, hidden_sizes (`x` between layers), thx, step, bias, x_masks,
h_masks (hexadecimal, `;` between layers) and rtl_cycles; the steps of a configuration follow each other.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulators.engine import fast, reference
from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.inputs.terminal import Terminal
from simulators.platforms.edgedrnn.cycle_law import DeltaMasks, step_cycles
from simulators.platforms.edgedrnn.machine import MACHINE
from simulators.platforms.edgedrnn.network import DeltaTiming, LayerSize, bias_is_sent, layer_sizes
from simulators.platforms.edgedrnn.step_tasks import step_program
from simulators.workloads.masks import sent_of

ENGINES = ("numba", "simpy")

MOST_BYTES = 1 << 24
"""Bytes of a table that are read at most."""


class RtlRun(NamedTuple):
    """The steps of one configuration."""

    place: str
    """File and configuration."""
    first_step: int
    """Number of the first of its steps, 0 after reset."""
    layers: tuple[DeltaMasks, ...]
    """What each layer sent."""
    sizes: tuple[LayerSize, ...]
    """The layers."""
    timing: DeltaTiming
    """The accelerator."""
    cycles: tuple[int, ...]
    """The RTL's, by step."""


def read_runs(path: Path) -> list[RtlRun]:
    """The configurations of a table. Raises InputError with the line of one that cannot be read."""
    text = read_text(path, MOST_BYTES)
    try:
        rows = list(enumerate(csv.DictReader(io.StringIO(text, newline="")), start=2))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    runs = []
    for _, of_run in groupby(rows, key=lambda numbered: numbered[1].get("configuration")):
        numbered = list(of_run)
        place = f"{path}:{numbered[0][0]}"
        try:
            runs.append(_run([row for _, row in numbered], place))
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
        except KeyError as error:
            raise InputError(f"{place}: no column {error}") from None
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{place}: {type(error).__name__}: {error}") from None
    if not runs:
        raise InputError(f"{path}: no row")
    return runs


def _run(rows: Sequence[dict[str, str]], place: str) -> RtlRun:
    first = rows[0]
    for name in ("num_pe", "memory_latency", "input_size", "hidden_sizes", "thx"):
        if len({row[name] for row in rows}) > 1:
            raise InputError(f"{name}: expected the same in all steps of a configuration")
    timing = DeltaTiming(int(first["num_pe"]), int(first["memory_latency"]))
    hidden = [int(size) for size in first["hidden_sizes"].split("x")]
    sizes = layer_sizes(int(first["input_size"]), hidden, timing.lanes)
    first_step = int(first["step"])
    bias = np.array([int(row["bias"]) for row in rows], np.uint8)
    expected = [first_step + i == 0 and bias_is_sent(int(first["thx"])) for i in range(len(rows))]
    if bias.tolist() != expected or [int(row["step"]) for row in rows] != list(
        range(first_step, first_step + len(rows))
    ):
        raise InputError("steps follow each other, and the bias is sent in the first after reset alone")
    for name in ("x_masks", "h_masks"):
        for row in rows:
            if row[name].count(";") != len(sizes) - 1:
                raise InputError(f"{name} {row[name][:40]!r} of step {row['step']}: expected {len(sizes)} masks")
    masks = [
        DeltaMasks(
            bias,
            sent_of([row["x_masks"].split(";")[number] for row in rows], size.inputs),
            sent_of([row["h_masks"].split(";")[number] for row in rows], size.hidden),
        )
        for number, size in enumerate(sizes)
    ]
    cycles = tuple(int(row["rtl_cycles"]) for row in rows)
    return RtlRun(f"{place}: {first['configuration']}", first_step, tuple(masks), sizes, timing, cycles)


def law_cycles(run: RtlRun) -> list[int]:
    """Cycles of each step by the law."""
    cycles: list[int] = step_cycles(run.layers, run.sizes, run.timing, run.first_step == 0).tolist()
    return cycles


def engine_cycles(run: RtlRun, engine: str) -> list[int]:
    """Cycles of each step on the machine model, by one of ENGINES."""
    compact, last_tasks = step_program(run.layers, run.sizes, run.timing, run.first_step == 0)
    run_tasks = reference.run_tasks if engine == "simpy" else fast.run_tasks
    _, end = run_tasks(MACHINE, compact)
    cycles: list[int] = np.diff(end[last_tasks], prepend=0).tolist()
    return cycles


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 if all steps agree, 1 if any does not, 2 for a table that cannot be read."""
    if not arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    steps, agreed = 0, dict.fromkeys(("law", *ENGINES), 0)
    for name in arguments:
        try:
            runs = read_runs(Path(name))
        except InputError as error:
            Terminal(stderr=True).say(str(error))
            return 2
        for run in runs:
            steps += len(run.cycles)
            for way in agreed:
                found = law_cycles(run) if way == "law" else engine_cycles(run, way)
                for step, (one, other) in enumerate(zip(found, run.cycles, strict=True), start=run.first_step):
                    if one == other:
                        agreed[way] += 1
                    else:
                        Terminal().say(f"{run.place} step {step}: {way}: {one} cycles instead of {other}")
    print("; ".join(f"{way}: {count} of {steps} steps agree" for way, count in agreed.items()))
    return 0 if steps and set(agreed.values()) == {steps} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
