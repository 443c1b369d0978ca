"""CSV as all commands write it: texts, headings too, are cells that no spreadsheet computes; numbers stay as they
are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulators.inputs.escapes import spreadsheet_cell


def csv_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], missing: Any = "") -> str:
    """A heading and a line a row, with these columns; `missing` stands where a row has not that key."""
    return csv_of_cells(([row.get(column, missing) for column in columns] for row in rows), columns)


def csv_of_cells(rows: Iterable[Iterable[Any]], columns: Sequence[str]) -> str:
    """A heading and a line a row, whose cells are in the order of the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return spreadsheet_cell(value) if isinstance(value, str) else value
