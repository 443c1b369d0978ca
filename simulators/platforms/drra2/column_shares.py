"""How columns share what a layer makes: the column that has most of it decides.

A program works on a register file's worth of results at a time, and repeats that. Columns take whole ones, as evenly as
they come, where each has at least two or all have equally many (88 rows of 16 outputs on 4 columns: 24, 24, 20, 20).
Fewer are shared by rows. What does not fill a register file is made behind it, by a pass of its own, on the last
column, which has none more than the others (345 outputs on 4 columns: 80, 80, 80, and 80 and 25). A result of nothing
but that rest is shared by rows too. Where a whole register file more takes less than a pass, the rest is filled up to
one.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple


class ColumnShare(NamedTuple):
    """Results of one column."""

    rows: int
    """Whole rows that are made in one pass."""
    rest: int
    """Results of a pass of their own behind it."""


def column_shares(results: int, columns: int, row_words: int, file_rows: int) -> tuple[tuple[ColumnShare, ...], int]:
    """Shares of the first column and of the last one that has any, one of which has most to do; and how many columns
    have any."""
    files, rest = divmod(results, row_words * file_rows)
    if not files:
        rows = ceil(rest / row_words)
        share = min(rest, ceil(rows / columns) * row_words)
        return (ColumnShare(0, share),), ceil(rest / share)
    if files // columns >= 2 or files % columns == 0:
        most, least = (n * file_rows for n in (ceil(files / columns), files // columns))
    else:
        most, least = ceil(files * file_rows / columns), files * file_rows // columns
    used = columns if least else min(columns, files * file_rows + int(rest > 0))
    others = () if most == least else (ColumnShare(most, 0),)
    return tuple(share for share in (*others, ColumnShare(least, rest)) if any(share)), used


def passes_of(share: ColumnShare) -> tuple[ColumnShare, ...]:
    """The passes of a column: one of whole rows, one of the rest, where there are any."""
    return tuple(part for part in (ColumnShare(share.rows, 0), ColumnShare(0, share.rest)) if any(part))


def filled_up(share: ColumnShare, file_rows: int) -> ColumnShare:
    """The share with a whole register file in place of its rest: as long as there is a pass anyway, that may take less
    than one more."""
    return ColumnShare(share.rows + file_rows, 0) if share.rows and share.rest else share


def even_share(results: int, columns: int) -> tuple[int, int]:
    """Outputs of the column that has most where each is made by itself, and how many columns have any."""
    most = ceil(results / columns)
    return most, ceil(results / most)
