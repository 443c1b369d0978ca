"""SCALE-Sim topologies as traces: convolutions or matrix products in CSV, one layer a row.

Formats as in SCALE-Sim's repository, versions 1 to 3 (Samajdar et al., ISPASS 2020): a header, then a row a layer.
Columns are known by their names, wherever they stand; `COLUMNS` has them. Rows of commas, section titles (a row with
a name only) and what stands behind `#` say nothing of a layer. As in SCALE-Sim, `DP` in a convolution's name makes it
depthwise: its filters are so many a channel. The files know nothing of bits: the user says which.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulators.inputs.bounded_files import read_text
from simulators.inputs.documents import MAX_BYTES
from simulators.inputs.errors import InputError
from simulators.workloads.operations import VECTOR_BITS, AnyLayer, Conv2d, Matmul
from simulators.workloads.trace import Trace

COLUMNS = {
    "Layer name": ("layer", "name"),
    "IFMAP Height": ("ifmap h",),
    "IFMAP Width": ("ifmap w",),
    "Filter Height": ("filter h",),
    "Filter Width": ("filter w",),
    "Channels": ("channel", "num channels", "num channel"),
    "Num Filter": ("num filters", "filters"),
    "Strides": ("stride",),
    "Stride height": ("stride h",),
    "Stride width": ("stride w",),
    "M": (),
    "N": (),
    "K": (),
    "Batch Size": ("batch",),
    "Sparsity": ("sparsity ratio",),
}
"""Columns by SCALE-Sim's name, each with its other names, without regard to case."""
CONVOLUTION = ("IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width", "Channels", "Num Filter")
PRODUCT = ("M", "N", "K")
STRIDES = ("Strides", "Stride height", "Stride width")
OPTIONAL = ("Batch Size", "Sparsity")
"""Columns of both formats; an empty cell is one input, and all weights."""

_BY_WORDS = {word: name for name, others in COLUMNS.items() for word in (name.lower(), *others)}
_WHOLE = re.compile(r"[0-9]{1,9}")
_RATIO = re.compile(r"([0-9]{1,9})\s*:\s*([0-9]{1,9})")


def read_topology(path: str | Path, weight_bits: int, activation_bits: int, steps: int = 1) -> Trace:
    """The layers of a file at the same bits; `steps` inputs, each of which a batch multiplies. Results are as wide as
    what the next layer reads, those of the last 16 bits. Raises InputError with file, line and column."""
    path = Path(path)
    rows = list(_rows(path))
    titled = next((i for i, (_, cells) in enumerate(rows) if sum(map(bool, cells)) > 1), len(rows))
    if titled >= len(rows) - 1:
        raise InputError(f"{path}:1:1: a header and at least one layer are expected")
    line, header = rows[titled]
    table = _Table(path, header, _header(path, line, header))
    described = [_Row(table, line, cells) for line, cells in rows[titled + 1 :] if not table.skips(cells)]
    if not described:
        raise InputError(f"{path}:{line}:1: a header and at least one layer are expected")
    layers: list[AnyLayer] = []
    used: set[str] = set()
    for row in described:
        name = re.sub(r"[\s,:]+", "_", row.name)[:60] or f"layer{len(layers) + 1}"
        while name in used:
            name = f"{name}.{row.line}"
        used.add(name)
        output_bits = activation_bits if row is not described[-1] else VECTOR_BITS
        bits = {"weight_bits": weight_bits, "activation_bits": activation_bits, "output_bits": output_bits}
        try:
            layers.append(row.layer(name, steps, bits))
        except ValidationError as error:
            raise InputError(f"{path}:{row.line}:1: layer {name}: {_first(error)}") from None
    try:
        return Trace(name=re.sub(r"[\s,:/]+", "_", path.stem)[:80], steps=steps, layers=tuple(layers))
    except ValidationError as error:
        raise InputError(f"{path}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    return error.errors()[0]["msg"].removeprefix("Value error, ")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines and cells of the rows that hold anything, up to a comment. A file without a comma in its first written
    line, but with a tab, is separated by tabs."""
    text = read_text(path, MAX_BYTES).removeprefix("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter="\t" if "\t" in first and "," not in first else ",")
    try:
        for row in reader:
            cells = [" ".join(cell.split()) for cell in row]
            comment = next((i for i, cell in enumerate(cells) if cell.startswith("#")), len(cells))
            if any(cells[:comment]):
                yield reader.line_num, cells[:comment]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: cannot be read: {error}") from None


def _header(path: Path, line: int, cells: Sequence[str]) -> dict[str, int]:
    """Where each column stands. Raises InputError for one that is not known, stands twice, or is missing."""
    names = [_BY_WORDS.get(re.sub(r"[\s_-]+", " ", cell).lower(), "") for cell in cells]
    if names.count("IFMAP Width") == 2 and "IFMAP Height" not in names:  # so DeepBench's files: the first is the height
        names[names.index("IFMAP Width")] = "IFMAP Height"
    shown = f"header {','.join(cells)}"
    is_product = not {*names}.isdisjoint(PRODUCT)
    if not is_product and {*names}.isdisjoint((*CONVOLUTION, *STRIDES)):
        forms = f"`Layer, M, N, K` nor `Layer name, {', '.join(CONVOLUTION)}, Strides`"
        raise InputError(f"{path}:{line}:1: {shown}: neither {forms}")
    known = ("Layer name", *(PRODUCT if is_product else (*CONVOLUTION, *STRIDES)), *OPTIONAL)
    places: dict[str, int] = {}
    for i, (cell, name) in enumerate(zip(cells, names, strict=True)):
        if name in places:
            raise InputError(f"{path}:{line}:{i + 1}: column {cell}: it stands twice")
        if name in known:
            places[name] = i
        elif cell:
            near = get_close_matches(cell, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"the columns here are {', '.join(known)}"
            raise InputError(f"{path}:{line}:{i + 1}: column {cell}: unknown; {hint}")
    needed = ("Layer name", *(PRODUCT if is_product else CONVOLUTION))
    if not is_product:
        given = places.keys() & {*STRIDES}
        needed = (*needed, *(STRIDES[1:] if given and "Strides" not in given else STRIDES[:1]))
        if len(given) == len(STRIDES):
            place = places["Strides"] + 1
            raise InputError(f"{path}:{line}:{place}: column Strides: Stride height and Stride width say it")
    for name in needed:
        if name not in places:
            raise InputError(f"{path}:{line}:1: {shown}: column {name} is missing")
    return places


@dataclass(frozen=True)
class _Table:
    """What a file's header says."""

    path: Path
    header: list[str]
    places: dict[str, int]
    """Cells before that of each column that is there."""

    def skips(self, cells: Sequence[str]) -> bool:
        """Whether a row says nothing of a layer: a section's title, or its header once more."""
        filled = [i for i, cell in enumerate(cells) if cell]
        return filled == [self.places["Layer name"]] or cells == self.header


@dataclass(frozen=True)
class _Row:
    """One layer."""

    table: _Table
    line: int
    cells: list[str]

    @property
    def name(self) -> str:
        """The name of the layer, as the file has it."""
        return self._cell("Layer name")

    def layer(self, name: str, steps: int, bits: dict[str, int]) -> AnyLayer:
        """Raises InputError for a cell that is not understood, ValidationError for a layer that cannot be."""
        ratio = self._ratio()
        common: dict[str, Any] = {"name": name, "weight_sparsity": ratio, **bits}
        steps *= self._number("Batch Size") if self._cell("Batch Size") else 1
        if "M" in self.table.places:
            m, n, k = map(self._number, PRODUCT)
            return Matmul(out_features=n, in_features=k, steps=m * steps, **common)
        height, width, kernel_height, kernel_width, channels, filters = map(self._number, CONVOLUTION)
        depthwise = "DP" in self.name
        return Conv2d(
            in_channels=channels,
            out_channels=channels * filters if depthwise else filters,
            groups=channels if depthwise else 1,
            kernel=(kernel_height, kernel_width),
            input_size=(height, width),
            stride=self._stride,
            steps=steps,
            **common,
        )

    def _cell(self, column: str) -> str:
        place = self.table.places.get(column, len(self.cells))
        return self.cells[place] if place < len(self.cells) else ""

    def _number(self, column: str) -> int:
        text, place = self._cell(column), self.table.places[column]
        if place >= len(self.cells):
            raise self._error(
                len(self.cells), f"{len(self.cells)} of {len(self.table.places)} columns: {column} is missing"
            )
        if not _WHOLE.fullmatch(text) or int(text) < 1:
            raise self._error(place, f"{text!r}: expected a whole number from 1 as {column}")
        return int(text)

    @property
    def _stride(self) -> tuple[int, int]:
        """Stride height and width; `Strides` stands for what has no column of its own."""
        down, across = (
            self._number(column if column in self.table.places else "Strides") for column in STRIDES[1:]
        )  # fmt: skip
        return down, across

    def _ratio(self) -> tuple[int, int] | None:
        """(N, M) of an N:M sparsity, None where all weights are kept. It may stand without a name, as SCALE-Sim reads
        it by its place; of what else has no name, only a stride once more is understood."""
        place = self.table.places.get("Sparsity", -1)
        text = self._cell("Sparsity")
        for i, cell in enumerate(self.cells):
            if not cell or i in self.table.places.values():
                continue
            if _RATIO.fullmatch(cell) and not text:
                place, text = i, cell
            elif "Strides" not in self.table.places or cell != self._cell("Strides"):
                names = OPTIONAL if "M" in self.table.places else (*STRIDES[1:], *OPTIONAL)
                raise self._error(i, f"{cell!r}: its column has no name; it may be {', '.join(names)}")
        if text in ("", "1"):
            return None
        match = _RATIO.fullmatch(text)
        kept, of = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= kept <= of:
            raise self._error(place, f"{text!r}: expected N:M as Sparsity, N kept of every M weights, as in 2:4")
        return (kept, of) if kept < of else None

    def _error(self, place: int, text: str) -> InputError:
        return InputError(f"{self.table.path}:{self.line}:{place + 1}: {text}")
