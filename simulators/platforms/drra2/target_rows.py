"""Rows of a table of DRRA-2's figures, as the model runs them: programs of one cell, schedules, and layers on columns.

A row's operation says its sizes in words. What is not one of these operations is not modelled, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from simulators.hardware.arch import load_arch
from simulators.platforms.drra2.example_programs import instructions_of, template_cells
from simulators.platforms.drra2.schedules import earliest, elementwise_events, matrix_events, vector_load
from simulators.platforms.drra2.sequencer import run_cell
from simulators.run.simulation import simulate
from simulators.workloads.operations import Conv2d, Elementwise, ElementwiseOp, Layer, Matmul, Pool2d
from simulators.workloads.trace import Trace

READ_OFF = frozenset({"p9", "p18", "p33", "p36"})
"""Rows from which a figure of `timing` in the spec was read."""
SHAPED = frozenset({"p11", "p14", "p16", "p20", "p22", "p23", "p25", "p26", "p28"})
"""Rows that chose between rules without a figure of their own: how columns share, which loads are not hidden."""


@dataclass(frozen=True)
class TargetRow:
    """A row of the table."""

    id: str
    program: str
    operation: str
    columns: int
    """Columns of the fabric that the program is for."""
    cycles: int
    kind: str


@dataclass(frozen=True)
class FoundCycles:
    """What the model has for a row."""

    cycles: int
    within: float
    """How near it should be, as a share of the row's cycles; 0: exact."""
    by: str
    """What ran: `cell`, `schedule` or `columns`."""


def found(row: TargetRow, engine: Literal["numba", "simpy"]) -> FoundCycles | None:
    """What the model has for a row, or None for an operation that is not modelled. Raises InputError for sizes that the
    fabric cannot run."""
    if row.kind == "their SST simulator":
        program = instructions_of(row.operation)
        return None if program is None else FoundCycles(run_cell(program).cycles, 0.0, "cell")
    if row.kind in ("their scheduler", "derived schedule"):
        cycles = _schedule(row)
        return None if cycles is None else FoundCycles(cycles, 0.0, "schedule")
    if row.program == "example0_drra_template":
        lengths = {run_cell(program).cycles for program in template_cells().values()}
        return FoundCycles(max(lengths), 0.0, "cell")
    layer = layer_of(row)
    if layer is None:
        return None
    arch = load_arch("drra2", [f"fabric.columns={row.columns}"])
    trace = Trace(name=row.id, steps=layer.steps, layers=(layer,))  # type: ignore[arg-type]
    within = 0.015 if isinstance(layer, Matmul) and "vector" in row.operation else 0.05
    return FoundCycles(simulate(trace, arch, engine).cycles, within, "columns")


def _schedule(row: TargetRow) -> int | None:
    """The latency of a schedule, without instruction issue."""
    if elements := _sizes(r"element-wise product (?:of )?(\d+) elements", row):
        transfer = int("one-cycle" in row.operation or "schedule B" in row.operation)
        return earliest(elementwise_events(elements[0], 2, transfer)).latency
    if matrix := _sizes(r"matrix-vector (\d+) outputs x (\d+) inputs", row):
        outputs, inputs = matrix
        return vector_load(-(-inputs // 16)) + earliest(matrix_events(outputs, inputs)).latency
    return None


def _sizes(pattern: str, row: TargetRow) -> list[int]:
    """Numbers in a row's operation, or none where it is another."""
    match = re.search(pattern, row.operation, re.IGNORECASE)
    return [int(number) for number in match.groups()] if match else []


def layer_of(row: TargetRow) -> Layer | None:
    """The layer of a program, or None for an operation that is not modelled."""
    for pattern, layer in LAYERS:
        sizes = _sizes(pattern, row)
        if sizes and ("pool" in row.program) == (layer is pooling):
            return layer(*sizes)
    return None


def product(outputs: int, inputs: int, vectors: int = 1) -> Matmul:
    """Vectors through a weight matrix."""
    return Matmul(name="layer", out_features=outputs, in_features=inputs, steps=vectors, weight_bits=16,
                  activation_bits=16, output_bits=16)  # fmt: skip


def convolution(outputs: int, taps: int) -> Conv2d:
    """One channel along one axis, of stride 2, as the atrial-fibrillation programs have it."""
    inputs = 2 * (outputs - 1) + taps
    return Conv2d(name="layer", in_channels=1, out_channels=1, kernel=(1, taps), stride=(1, 2), input_size=(1, inputs),
                  steps=1, weight_bits=16, activation_bits=16, output_bits=16)  # fmt: skip


def pooling(inputs: int, outputs: int) -> Pool2d:
    """The largest of neighbours along one axis."""
    window = inputs // outputs
    return Pool2d(name="layer", kind="max", channels=1, kernel=(1, window), stride=(1, window), input_size=(1, inputs),
                  steps=1, activation_bits=16, output_bits=16)  # fmt: skip


def _elements(op: ElementwiseOp) -> Callable[..., Layer]:
    def layer(elements: int) -> Layer:
        return Elementwise(name="layer", ops={op: elements}, inputs=elements, outputs=elements, steps=1)

    return layer


LAYERS: tuple[tuple[str, Callable[..., Layer]], ...] = (
    (r"matrix-vector (\d+) outputs x (\d+) inputs", product),
    (r"(\d+)x\d+ by (\d+)x(\d+)", lambda rows, inner, outputs: product(outputs, inner, rows)),
    (r"(\d+) outputs x (\d+) taps", convolution),
    (r"^(\d+) -> (\d+)", pooling),
    (r"(\d+) -> (\d+)", lambda inputs, outputs: product(outputs, inputs)),
    (r"batch normalisation (\d+) elements", _elements("multiply_add")),
    (r"relu (\d+) elements", _elements("relu")),
    (r"vector add (\d+) elements", _elements("add")),
    (r"(?:vector multiply|element-wise product)(?: of)? (\d+) el", _elements("multiply")),
)
"""Operations in words, and the layer of their sizes."""
