"""The event-driven Bit Fusion against the published closed form, row by row of its reference tables.

    python -m simulators.platforms.bitfusion.cross_check TABLE.csv …

Every correction of the simulator is switched the published way. What is left between the two: the simulator takes its
own mapping of the loops that it can express, overlaps tile by tile where the closed form overlaps a layer as a whole,
writes results at their true size where the closed form pads them to the array's columns, and runs widths that are no
power of two as the next one, where the closed form packs as many as fit.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from simulators.hardware.arch import Arch, load_arch
from simulators.inputs.errors import InputError
from simulators.inputs.terminal import Terminal
from simulators.run.simulation import simulate
from simulators.workloads.operations import Conv2d, Matmul
from simulators.workloads.trace import Trace

PUBLISHED_WAY = tuple(
    f"corrections.{switch}=false"
    for switch in (
        "true_output_bits", "skip_first_preload", "share_inputs_in_row", "true_edge_tiles", "fill_drain", "leakage",
    )
)  # fmt: skip
BUFFERS = {"input": "ibuf_bytes", "weight": "wbuf_bytes", "output": "obuf_bytes"}


@dataclass(frozen=True)
class Ratio:
    """Simulated over published cycles of one row."""

    place: str
    layer: str
    bits: tuple[int, int]
    """Activations, weights, as in the table."""
    published_cycles: int
    simulated_cycles: int

    @property
    def value(self) -> float:
        return self.simulated_cycles / self.published_cycles

    @property
    def packed_alike(self) -> bool:
        """Whether both models pack these widths in the same way: powers of two."""
        return all(bits & (bits - 1) == 0 for bits in self.bits)


def cross_check(path: Path) -> list[Ratio]:
    """All layers of a table. Raises InputError for a table that cannot be read."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    ratios = []
    for line, row in enumerate(rows, 2):
        try:
            if row["layer"] == "TOTAL":
                continue
            cycles = simulate(_trace(row), _arch(*(row[name] for name in _HARDWARE))).cycles
            bits = int(row["act_bits"]), int(row["wgt_bits"])
            ratios.append(Ratio(f"{path}:{line}", row["layer"], bits, int(row["cycles"]), cycles))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}:{line}: {type(error).__name__}: {error}") from None
    return ratios


_HARDWARE = ("N", "M", "pmax", "bw_bits_per_cycle", *BUFFERS.values())


@lru_cache(maxsize=64)
def _arch(rows: str, columns: str, widest: str, bandwidth: str, *buffers: str) -> Arch:
    """The row's hardware; energies do not matter to its cycles."""
    changes = [f"array.rows={rows}", f"array.columns={columns}", f"array.unit_operand_bits={widest}"]
    changes += [f"dram.bits_per_cycle={bandwidth}", "energy.sram_leakage_mw=0"]
    for name, size in zip(BUFFERS, buffers, strict=True):
        changes.append(f"buffers.{name}_kib={int(size) / 1024}")
        changes.append(f"energy.{name}_buffer_pj_per_bit={{read: 0, write: 0}}")
    return load_arch("bitfusion", [*PUBLISHED_WAY, *changes])


def _trace(row: dict[str, str]) -> Trace:
    def whole(name: str) -> int:
        return int(row[name])

    kernel, output, stride, batch = whole("K"), whole("O"), whole("S"), whole("batch")
    weight_bits, activation_bits = whole("wgt_bits"), whole("act_bits")
    layer: Matmul | Conv2d
    if kernel == output == 1:
        layer = Matmul(
            name="layer", out_features=whole("OC"), in_features=whole("IC"), steps=batch,
            weight_bits=weight_bits, activation_bits=activation_bits, output_bits=16,
        )  # fmt: skip
    else:
        size = (output - 1) * stride + kernel
        layer = Conv2d(
            name="layer", in_channels=whole("IC"), out_channels=whole("OC"), kernel=(kernel, kernel),
            input_size=(size, size), stride=(stride, stride), expanded=row["im2col"] == "1", steps=batch,
            weight_bits=weight_bits, activation_bits=activation_bits, output_bits=16,
        )  # fmt: skip
    return Trace(name="row", steps=batch, layers=(layer,))


def describe(ratios: Sequence[Ratio]) -> str:
    """The distribution, and the rows at its ends."""
    lines = []
    for name, alike in (("widths that are powers of two", True), ("other widths", False)):
        chosen = sorted((r for r in ratios if r.packed_alike == alike), key=lambda r: r.value)
        if not chosen:
            continue
        values = [r.value for r in chosen]
        quantiles = np.percentile(values, [0, 5, 25, 50, 75, 95, 100])
        figures = " ".join(f"{q:.3f}" for q in quantiles)
        lines.append(f"{name}, {len(chosen)} rows: simulated / published cycles at 0 5 25 50 75 95 100 %: {figures}")
        for r in dict.fromkeys([*chosen[:3], *chosen[-3:]]):
            lines.append(
                f"  {r.value:.3f}  {r.place}: {r.layer}, {r.bits[0]}x{r.bits[1]} bits: {r.simulated_cycles:,} for "
                f"{r.published_cycles:,}"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 for a table that cannot be read."""
    if not arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        for line in describe([ratio for name in arguments for ratio in cross_check(Path(name))]).split("\n"):
            Terminal().say(line)
    except InputError as error:
        Terminal(stderr=True).say(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
