"""Hold the published Bit Fusion model against tables of reference figures, row by row.

    python -m simulators.platforms.bitfusion.validate TABLE.csv …

Runs the model and its mapping search on every row, prints how many agree (cycles, stalls and bits to the integer,
energy to 1e-9 relative) and each that does not, and exits with 1 if any disagrees.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulators.inputs.errors import InputError
from simulators.inputs.terminal import Terminal
from simulators.platforms.bitfusion.published import PublishedHardware, PublishedLayer, PublishedResult, evaluate

ENERGY_TOLERANCE = 1e-9
WHOLE = {
    "cycles": "cycles", "compute_cycles": "compute_cycles", "stall_cycles": "stall_cycles",
    "dram_read_bits": "dram_read_bits", "dram_write_bits": "dram_write_bits",
    "ibuf_read_bits": "input_read_bits", "ibuf_write_bits": "input_write_bits",
    "wbuf_read_bits": "weight_read_bits", "wbuf_write_bits": "weight_write_bits",
    "obuf_read_bits": "output_read_bits", "obuf_write_bits": "output_write_bits",
}  # fmt: skip
ENERGIES = {
    "e_core_nJ": "core_nj", "e_wbuf_nJ": "weight_nj", "e_ibuf_nJ": "input_nj", "e_obuf_nJ": "output_nj",
    "e_dram_nJ": "dram_nj", "e_total_nJ": "total_nj",
}  # fmt: skip
"""Column of a table → attribute of `PublishedResult`."""


@dataclass(frozen=True)
class RowComparison:
    """One row: where it stands, and every figure that differs."""

    place: str
    differences: tuple[str, ...]


def compare_table(path: Path) -> list[RowComparison]:
    """Every row of a table. Rows called TOTAL are held against the sums of the rows of their network.

    Raises InputError with the line of a row that cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    comparisons = []
    sums: dict[str, dict[str, float]] = {}
    for line, row in enumerate(rows, start=2):
        place = f"{path}:{line}: {row.get('network')} {row.get('layer')}"
        try:
            if row["layer"] == "TOTAL":
                found = sums.pop(row["network"], dict.fromkeys((*WHOLE, *ENERGIES), 0.0))
            else:
                found = _figures(_evaluate(row))
                total = sums.setdefault(row["network"], dict.fromkeys(found, 0.0))
                for name, value in found.items():
                    total[name] += value
            expected = {name: float(row[name]) for name in (*WHOLE, *ENERGIES)}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{place}: {type(error).__name__}: {error}") from None
        differences = [
            f"{name} {found[name]:.15g} instead of {expected[name]:.15g}"
            for name in expected
            if abs(found[name] - expected[name]) > (0 if name in WHOLE else ENERGY_TOLERANCE * abs(expected[name]))
        ]
        comparisons.append(RowComparison(place, tuple(differences)))
    return comparisons


def _evaluate(row: dict[str, str]) -> PublishedResult:
    def whole(name: str) -> int:
        return int(row[name])

    hardware = PublishedHardware(
        rows=whole("N"), columns=whole("M"), widest_operand_bits=whole("pmax"), narrowest_operand_bits=whole("pmin"),
        dram_bits_per_cycle=whole("bw_bits_per_cycle"), input_bytes=whole("ibuf_bytes"),
        weight_bytes=whole("wbuf_bytes"), output_bytes=whole("obuf_bytes"),
    )  # fmt: skip
    layer = PublishedLayer(
        kernel=whole("K"), output_size=whole("O"), stride=whole("S"), in_channels=whole("IC"), out_channels=whole("OC"),
        batch=whole("batch"), activation_bits=whole("act_bits"), weight_bits=whole("wgt_bits"),
        expanded=whole("im2col") == 1,
    )  # fmt: skip
    return evaluate(layer, hardware)


def _figures(result: PublishedResult) -> dict[str, float]:
    return {name: float(getattr(result, attribute)) for name, attribute in {**WHOLE, **ENERGIES}.items()}


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 if all rows agree, 1 if any does not, 2 for a table that cannot be read."""
    if not arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    agreed = disagreed = 0
    for name in arguments:
        try:
            comparisons = compare_table(Path(name))
        except InputError as error:
            Terminal(stderr=True).say(str(error))
            return 2
        for comparison in comparisons:
            if comparison.differences:
                Terminal().say(f"{comparison.place}: {'; '.join(comparison.differences)}")
                disagreed += 1
            else:
                agreed += 1
    print(f"{agreed} of {agreed + disagreed} rows agree")
    return 1 if disagreed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
