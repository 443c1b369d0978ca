"""What is said where energies and areas are not of one technology: they are not to be compared as if they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_NAMES = 8
"""Names, and technologies, that are named; of others their number is."""


def different_technologies(nodes: Iterable[tuple[str, float | None]]) -> str:
    """One line of architectures (name, node of the process in nm or None where the spec does not say) with their
    technologies, in their order; nothing where these are the same."""
    of_node: dict[float | None, dict[str, None]] = {}
    for name, node in nodes:
        of_node.setdefault(node, {})[name] = None
    if len(of_node) <= 1:
        return ""
    words = [f"{f'{node:g} nm' if node else 'not said'} ({_first([*names], ', ')})" for node, names in of_node.items()]
    return f"Energy and area are of different technologies: {_first(words, '; ')}"


def _first(words: Sequence[str], between: str) -> str:
    more = len(words) - MOST_NAMES
    return between.join([*words[:MOST_NAMES], *([f"{more} more"] if more > 0 else [])])
