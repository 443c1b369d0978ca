"""SCALE-Sim topologies as traces: convolutions or matrix products in CSV, one layer a row.

Formats as in SCALE-Sim's repository (Samajdar et al., ISPASS 2020): a header, then `name, IFMAP height, IFMAP width,
filter height, filter width, channels, number of filters, stride` or, for products, `name, M, N, K`: an M × K matrix
of inputs by K × N weights. A trailing comma is allowed. The files know nothing of bits: the user says which.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulators.inputs.errors import InputError
from simulators.workloads.operations import VECTOR_BITS, AnyLayer, Conv2d, Matmul
from simulators.workloads.trace import Trace

CONVOLUTION_COLUMNS = 8
PRODUCT_COLUMNS = 4


def read_topology(path: str | Path, weight_bits: int, activation_bits: int, steps: int = 1) -> Trace:
    """The layers of a file at the same bits; `steps` inputs (a batch). Results are as wide as what the next layer
    reads, those of the last 16 bits. Raises InputError with file, line and column."""
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [(i, [cell.strip() for cell in row]) for i, row in enumerate(csv.reader(file), 1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    rows = [(line, row[:-1] if row and not row[-1] else row) for line, row in rows]
    rows = [(line, row) for line, row in rows if row]
    if len(rows) < 2:
        raise InputError(f"{path}:1:1: a header and at least one layer are expected")
    header = [cell.lower() for cell in rows[0][1]]
    products = header[1:4] == ["m", "n", "k"]
    columns = PRODUCT_COLUMNS if products else CONVOLUTION_COLUMNS
    if not products and (len(header) < columns or "ifmap" not in header[1]):
        raise InputError(
            f"{path}:{rows[0][0]}:1: header {','.join(rows[0][1])}: neither `Layer, M, N, K` nor `Layer name, IFMAP "
            "Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides`"
        )
    layers: list[AnyLayer] = []
    used: set[str] = set()
    for i, (line, row) in enumerate(rows[1:]):
        if len(row) < columns:
            raise InputError(f"{path}:{line}:{len(row) + 1}: {len(row)} of {columns} columns")
        numbers = [_number(path, line, column, row[column]) for column in range(1, columns)]
        name = re.sub(r"[\s,:]+", "_", row[0])[:60] or f"layer{i + 1}"
        name = name if name not in used else f"{name}.{line}"
        used.add(name)
        bits = {
            "weight_bits": weight_bits,
            "activation_bits": activation_bits,
            "output_bits": activation_bits if i < len(rows) - 2 else VECTOR_BITS,
        }
        try:
            layers.append((_product if products else _convolution)(name, numbers, steps, bits))
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{path}:{line}:1: layer {name}: {first['msg'].removeprefix('Value error, ')}") from None
    return Trace(name=re.sub(r"[\s,:/]+", "_", path.stem)[:80], steps=steps, layers=tuple(layers))


def _number(path: Path, line: int, column: int, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise InputError(f"{path}:{line}:{column + 1}: {text!r}: expected a whole number from 1")
    return int(text)


def _product(name: str, numbers: list[int], steps: int, bits: dict[str, Any]) -> Matmul:
    m, n, k = numbers
    return Matmul(name=name, out_features=n, in_features=k, steps=m * steps, **bits)


def _convolution(name: str, numbers: list[int], steps: int, bits: dict[str, Any]) -> Conv2d:
    height, width, kernel_height, kernel_width, channels, filters, stride = numbers
    return Conv2d(
        name=name,
        in_channels=channels,
        out_channels=filters,
        kernel=(kernel_height, kernel_width),
        input_size=(height, width),
        stride=(stride, stride),
        steps=steps,
        **bits,
    )
