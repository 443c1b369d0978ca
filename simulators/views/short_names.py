"""Names in few columns of a terminal, so that two that differ still do."""

from __future__ import annotations

from collections.abc import Sequence


def short_names(names: Sequence[str], width: int) -> list[str]:
    """Distinct names in at most `width` columns each (and in what a number takes, where that is more): longer ones are
    cut in the middle, or where all of them still differ; if they do nowhere, alike ones have their places, from 1."""
    most = max(width - 1, 1)
    shown = list(names)
    for head in sorted(range(most + 1), key=lambda head: abs(2 * head - most)):
        shown = [name if len(name) <= width else _cut(name, head, most - head) for name in names]
        if len({*shown}) == len(shown):
            return shown
    cut = [name if len(name) <= width else _cut(name, most - most // 2, most // 2) for name in names]
    for place, text in enumerate(cut):
        if cut.count(text) > 1 and text != names[place]:
            number = f"…#{place + 1}"
            shown[place] = names[place][: max(width - len(number), 0)] + number
        else:
            shown[place] = text
    return shown


def _cut(name: str, head: int, tail: int) -> str:
    return f"{name[:head]}…{name[len(name) - tail :]}"
