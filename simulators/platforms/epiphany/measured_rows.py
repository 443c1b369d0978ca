"""Rows of measured figures, each with what the model has for it and how near it should come.

What a row is of is read from its words and its size: another row of a known kind needs nothing new here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from simulators.engine import fast, reference
from simulators.engine.program import Program
from simulators.inputs.errors import InputError
from simulators.platforms.epiphany.machine import machine_of
from simulators.platforms.epiphany.programs import (
    WORD_BYTES,
    Flow,
    copies,
    matrix_kernel,
    off_chip_product,
    on_chip_product,
    ping_pong,
    remote_read,
)
from simulators.platforms.epiphany.spec import EpiphanySpec, exact

ENGINES = ("numba", "simpy")

TIMER_CYCLES = 89
"""What reading the timer adds to the measured DMA writes: their source says so."""
FITTED = frozenset(
    f"{kind}{number}"
    for kind, numbers in (("l", (*range(1, 6), *range(7, 11), 12, 13, 14)), ("b", (1, 2, 4, 6)), ("r", (1,)),
                          ("e", (1, 2, 3, 4, 6, 7, 8)))
    for number in numbers
)  # fmt: skip
"""Rows that constants of the specs were fitted to, or are; all others validate."""
SMALL_BYTES = 512
MOST_BYTES = 1 << 20
"""Bytes of a transfer that is run beat by beat."""
KERNEL_ROWS = 32
"""Rows and columns of a core's part of a product that is off chip: those of the vendor's kernel."""
COPIES_A_STEP = 4
"""Copies of a step of the measured product: two halves of either operand."""


class MeasuredRow(NamedTuple):
    """A row of the table."""

    id: str
    clock_mhz: float
    what: str
    size: str
    value: str


class Modelled(NamedTuple):
    """What the model has for a row."""

    measured: float
    """Figure of the row, in its unit."""
    modelled: float
    """Figure of the model, in the same."""
    within: float
    """How near they should be, as a share of what was measured."""

    @property
    def difference(self) -> float:
        """Distance of the model from the measurement, as a share of that."""
        return self.modelled / self.measured - 1


Runner = Callable[[EpiphanySpec, Program], list[int]]


def ends_of(engine: str) -> Runner:
    """What runs a program and has the end of each of its tasks, on one of ENGINES."""

    run_tasks = reference.run_tasks if engine == "simpy" else fast.run_tasks

    def run(spec: EpiphanySpec, tasks: Program) -> list[int]:
        ends: list[int] = run_tasks(machine_of(spec.mesh.grid), tasks)[1].tolist()
        return ends

    return run


def modelled(row: MeasuredRow, spec: EpiphanySpec, run: Runner) -> Modelled | None:
    """What the model has for a row; None for one of no kind that it knows. Raises InputError for a row that names no
    core of the mesh, or a size or a value that is no number."""
    what = row.what.lower()
    for words, model in _KINDS:
        if re.search(words, what):
            return model(row, spec, run)
    return None


def _ping_pong(row: MeasuredRow, spec: EpiphanySpec, run: Runner) -> Modelled:
    """The mean of both ways of a word and its flag: what the rows say grows by 1.46 cycles a hop, as one way does."""
    tasks, ways = ping_pong(spec, 0, _target(row, spec))
    return Modelled(_number(row), max(run(spec, tasks)) / ways, 0.03)


def _target(row: MeasuredRow, spec: EpiphanySpec) -> int:
    """The core that a row names, or one that is so many hops from the first."""
    named = re.search(r"core\s*([0-9a-f]+)\)", row.what, re.IGNORECASE)
    grid = spec.mesh.grid
    if named:
        return _node(named[1], spec)
    hops = re.search(r"(\d+) hop", row.what)
    if hops is None or not 1 <= int(hops[1]) <= grid.rows + grid.columns - 2:
        raise InputError(f"row {row.id}: {row.what[:60]}: expected so many hops of the mesh, or a core")
    across = min(int(hops[1]), grid.columns - 1)
    return grid.node(int(hops[1]) - across, across)


def _contention(row: MeasuredRow, spec: EpiphanySpec, run: Runner) -> Modelled:
    """A DMA write beside others; of alternatives, the longest."""
    pairs = re.findall(r"\b([0-9a-f])\s*->\s*(?:core\s*)?([0-9a-f])\b", row.what, re.IGNORECASE)
    flows = [Flow(_node(a, spec), _node(b, spec), _bytes(row)) for a, b in pairs]
    if len(flows) < 2:
        raise InputError(f"row {row.id}: {row.what[:60]}: expected a flow and others, as 0->F and 1->B")
    first, others = flows[0], flows[1:]
    together = [[first, other] for other in others] if re.search(r"\bor\b", row.what) else [flows]
    cycles = [_written(spec, run, of_run) for of_run in together]
    return Modelled(_number(row), max(cycles), 0.1)


def _dma_write(row: MeasuredRow, spec: EpiphanySpec, run: Runner) -> Modelled:
    """A DMA write, with the answer and the timer where the row says so: from corner to corner, or to a neighbour."""
    amount = _bytes(row)
    within = 0.1 if amount <= SMALL_BYTES else 0.05
    if "corner" in row.what:
        return Modelled(_number(row), _written(spec, run, [Flow(0, spec.mesh.grid.nodes - 1, amount)]), within)
    tasks, ends = copies(spec, [Flow(0, 1, amount)])
    return Modelled(_number(row), run(spec, tasks)[ends[0]], within)


def _written(spec: EpiphanySpec, run: Runner, flows: Sequence[Flow]) -> float:
    """Cycles of the first of some DMA writes as they were measured: with the answer of its target, and the timer."""
    tasks, ends = copies(spec, flows)
    answer, ways = ping_pong(spec, flows[0].source, flows[0].target)
    return run(spec, tasks)[ends[0]] + max(run(spec, answer)) / ways + TIMER_CYCLES


def _one_rate(cycles: Callable[[EpiphanySpec, int], float]) -> Callable[[MeasuredRow, EpiphanySpec, Runner], Modelled]:
    """A transfer that has one constant, which was fitted to it."""
    return lambda row, spec, run: Modelled(_number(row), cycles(spec, _bytes(row)), 0.01)


def _words(key: Callable[[EpiphanySpec], float]) -> Callable[[MeasuredRow, EpiphanySpec, Runner], Modelled]:
    return _one_rate(lambda spec, amount: float(amount / WORD_BYTES * exact(key(spec))))


def _dma(key: Callable[[EpiphanySpec], float]) -> Callable[[MeasuredRow, EpiphanySpec, Runner], Modelled]:
    return _one_rate(lambda spec, amount: float(spec.dma.setup_cycles + amount * exact(key(spec))))


def _remote_read(row: MeasuredRow, spec: EpiphanySpec, run: Runner) -> Modelled:
    """The formula, for the longest way; or a number, for the way that the row names."""
    found = re.fullmatch(r"\s*(\d+)\s*\+\s*(\d+)\s*\*\s*hops\s*", row.value)
    if found is None:
        if "hop" in row.value:
            raise InputError(f"row {row.id}: {row.value[:40]}: expected cycles + cycles * hops, or a number")
        target, measured = _target(row, spec), _number(row)
    else:
        target = spec.mesh.grid.nodes - 1
        measured = int(found[1]) + int(found[2]) * spec.mesh.grid.hops(0, target)
    return Modelled(measured, max(run(spec, remote_read(spec, 0, target))), 0.01)


def _matrix_product(row: MeasuredRow, spec: EpiphanySpec, run: Runner) -> Modelled:
    """The product of all cores in GFLOPS, an equal part on each; off chip, in blocks of KERNEL_ROWS rows a core."""
    off_chip = "off chip" in row.what.lower()
    sizes = re.findall(r"(\d+)\s*x\s*(\d+)", f"{row.what} {row.size}")
    cores = re.search(r"(\d+) cores", row.what)
    side = round(int(cores[1]) ** 0.5) if cores else 1
    if not sizes or side * side != int(cores[1] if cores else 1) or not 1 <= side <= 32:
        raise InputError(f"row {row.id}: {row.what[:60]}: expected a size, as 32x32, on a square of cores")
    whole = int(sizes[0][0])
    size, blocks = whole // side, 1
    if off_chip:
        size, blocks = KERNEL_ROWS, whole // (side * KERNEL_ROWS)
    if not 2 <= size <= 64 or whole != side * size * blocks or not 1 <= blocks <= 64:
        rule = f"blocks of {KERNEL_ROWS}" if off_chip else "2 to 64"
        raise InputError(f"row {row.id}: {whole}: expected {rule} rows for each of {side} cores of a row")
    if side == 1:
        tasks = matrix_kernel(spec, size)
    else:
        mesh = spec.mesh.model_copy(update={"rows": side, "columns": side})
        spec = spec.model_copy(update={"mesh": type(mesh).model_validate(mesh.model_dump())})
        tasks = on_chip_product(spec, size, COPIES_A_STEP)
    cycles, within = max(run(spec, tasks)), 0.01
    if off_chip:
        cycles, within = max(run(spec, off_chip_product(spec, side * size, blocks, cycles))), 0.05
    if "cycles" in row.what:
        return Modelled(_number(row), cycles, within)
    clock_mhz = row.clock_mhz or spec.frequency_mhz
    return Modelled(_number(row), 2 * whole**3 / cycles * clock_mhz / 1e3, within)


def _node(text: str, spec: EpiphanySpec) -> int:
    node = int(text, 16)
    if node >= spec.mesh.grid.nodes:
        raise InputError(f"core {text}: the mesh has {spec.mesh.grid.nodes}, from 0")
    return node


def _number(row: MeasuredRow) -> float:
    try:
        value = float(row.value)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"row {row.id}: {row.value[:40]}: expected a number above 0")
    return value


def _bytes(row: MeasuredRow) -> int:
    found = re.search(r"(\d+)(?:-byte|\s*B\b)", f"{row.size} {row.what}")
    if found is None or not 1 <= int(found[1]) <= MOST_BYTES:
        raise InputError(f"row {row.id}: {row.size[:40]}: expected a size of 1 to {MOST_BYTES} bytes, as 4096 B")
    return int(found[1])


_KINDS: tuple[tuple[str, Callable[[MeasuredRow, EpiphanySpec, Runner], Modelled]], ...] = (
    ("ping-pong", _ping_pong),
    (r"dma write.*(other flow|flow\(s\))", _contention),
    (r"core->core dma write|dma write corner", _dma_write),
    ("core<-core dma read", _dma(lambda spec: spec.dma.read_cycles_per_byte)),
    ("core->dram dma write", _dma(lambda spec: spec.dram.write_cycles_per_byte)),
    ("core<-dram dma read", _dma(lambda spec: spec.dram.read_cycles_per_byte)),
    ("core->core write memcpy", _words(lambda spec: spec.core.write_word_cycles)),
    ("core<-core read memcpy", _words(lambda spec: spec.core.read_word_cycles)),
    ("core->dram write memcpy", _words(lambda spec: spec.dram.write_word_cycles)),
    ("core<-dram read memcpy", _words(lambda spec: spec.dram.read_word_cycles)),
    ("remote read of one word", _remote_read),
    (r"matrix product.*(on chip|off chip|one core|1 core)", _matrix_product),
)
"""What a row's words say, and what models it; the first that does."""
