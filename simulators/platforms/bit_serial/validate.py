"""Hold the closed form of `published.py` against a table of cycles, row by row.

    python -m simulators.platforms.bit_serial.validate [TABLE.csv …]

Without a table, against the one that HAQ publishes. A table is CSV with `w_bits`, `a_bits` and `cycles`, and either
`layer`, a number from 0 of MobileNet-V2's layers for 16 images, as in HAQ's, or `kind` (conv, dw, fc), `in_channels`,
`out_channels`, `kernel`, `out_size` and `batch`, with `Dm`, `Dn`, `Dk` and `buf` where they are not 16, 16, 256 and
16384. Prints each row that disagrees and how many agree; exits with 1 if any does not, with 2 for a table that cannot
be read.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.inputs.shipped import folder
from simulators.inputs.terminal import Terminal
from simulators.platforms.bit_serial.layers import product_of
from simulators.platforms.bit_serial.published import (
    PublishedArray,
    PublishedProduct,
    convolution,
    depthwise,
    evaluate,
    fully_connected,
)
from simulators.workloads.trace import Trace, load_trace

TABLE = "haq_mobilenetv2_cloud_latency.csv"
"""Cycles of 53 layers of MobileNet-V2 for 16 images at 1 to 8 bits of either operand: mit-han-lab/haq @8228d12."""
IMAGES = 16
MOST_BYTES = 1 << 24
KINDS = {
    "conv": "conv", "convolution": "conv", "pw": "conv", "pointwise": "conv", "dw": "dw", "depthwise": "dw",
    "dwconv": "dw", "fc": "fc", "linear": "fc", "fully_connected": "fc",
}  # fmt: skip
OTHER_NAMES = {
    "kind": ("type", "op", "layer"), "in_channels": ("c_in", "in_features"), "out_channels": ("c_out", "out_features"),
    "kernel": ("k", "kernel_size"), "out_size": ("o", "output_size"), "batch": ("images", "batch_size"),
    "Dm": ("dm", "rows"), "Dn": ("dn", "columns"), "Dk": ("dk", "word_bits"), "buf": ("buffer", "buffer_words"),
    "w_bits": ("weight_bits",), "a_bits": ("activation_bits",),
}  # fmt: skip
"""Columns, each with its other names."""
MOST = 1 << 24


@dataclass(frozen=True)
class CycleComparison:
    """One row: where it stands, and the cycles of both."""

    place: str
    expected: int
    """Cycles of the table."""
    found: int
    """Cycles of the closed form."""


def shipped_table() -> Path:
    """HAQ's table."""
    return folder("arch_specs") / TABLE


def compare_table(path: Path) -> list[CycleComparison]:
    """Every row of a table. Raises InputError with the line of a row that cannot be read."""
    rows = csv.DictReader(io.StringIO(read_text(path, MOST_BYTES)))
    network = load_trace("mobilenet-v2").at_steps(IMAGES)
    comparisons = []
    try:
        for row in rows:
            place = f"{path}:{rows.line_num}"
            comparisons.append(CycleComparison(place, _whole(row, "cycles", 1 << 62), _cycles(row, network)))
    except (InputError, csv.Error) as error:
        raise InputError(f"{path}:{rows.line_num}: {error}") from None
    if not comparisons:
        raise InputError(f"{path}: no row")
    return comparisons


def _cycles(row: dict[str, str], network: Trace) -> int:
    array = _array(row)
    product = _product(row, array) if _cell(row, "in_channels") is not None else _of_network(row, network, array)
    return evaluate(product, _whole(row, "w_bits"), _whole(row, "a_bits"), array).cycles


def _array(row: dict[str, str]) -> PublishedArray:
    usual = PublishedArray()
    words = _whole(row, "buf", usual=usual.activation_words)
    return PublishedArray(
        _whole(row, "Dm", usual=usual.rows), _whole(row, "Dn", usual=usual.columns),
        _whole(row, "Dk", usual=usual.word_bits), words, words,
    )  # fmt: skip


def _of_network(row: dict[str, str], network: Trace, array: PublishedArray) -> PublishedProduct:
    number = _whole(row, "layer", len(network.layers) - 1, 0)
    return product_of(network.layers[number], array)


def _product(row: dict[str, str], array: PublishedArray) -> PublishedProduct:
    kind = KINDS.get(str(_cell(row, "kind")).strip().lower())
    inputs, outputs, images = (_whole(row, name) for name in ("in_channels", "out_channels", "batch"))
    if kind == "fc":
        return fully_connected(array, inputs, outputs, images)
    taps, pixels = _whole(row, "kernel") ** 2, _whole(row, "out_size") ** 2
    if kind == "dw":
        return depthwise(array, outputs, taps, pixels, images)
    if kind == "conv":
        return convolution(array, inputs, outputs, taps, pixels, images)
    raise InputError(f"kind {_cell(row, 'kind')!r}: it must be one of {', '.join(KINDS)}")


def _cell(row: dict[str, str], name: str) -> str | None:
    """What a row has in a column, under any of its names."""
    return next((row[each] for each in (name, *OTHER_NAMES.get(name, ())) if row.get(each)), None)


def _whole(row: dict[str, str], name: str, most: int = MOST, least: int = 1, usual: int | None = None) -> int:
    """A whole number in a column. Raises InputError."""
    text = _cell(row, name)
    if text is None and usual is not None:
        return usual
    digits = "" if text is None else text.strip()
    if not digits.isdecimal() or len(digits) > 20 or not least <= int(digits) <= most:
        raise InputError(f"{name} {text!r}: expected a whole number from {least} to {most}")
    return int(digits)


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 if all rows agree, 1 if any does not, 2 for a table that cannot be read."""
    agreed = disagreed = 0
    for path in [Path(name) for name in arguments] or [shipped_table()]:
        try:
            comparisons = compare_table(path)
        except InputError as error:
            Terminal(stderr=True).say(str(error))
            return 2
        for row in comparisons:
            if row.found == row.expected:
                agreed += 1
            else:
                disagreed += 1
                Terminal().say(f"{row.place}: {row.found} cycles instead of {row.expected}")
    print(f"{agreed:,} of {agreed + disagreed:,} rows agree")
    return 1 if disagreed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
