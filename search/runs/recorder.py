"""What a search notes of how far it came, and whom it tells."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from search.space.genome import Genes

OnGeneration = Callable[[int, int, int], None]
"""Told the number of a generation, how many design points were asked for up to now, and how many of those are on the
front."""


class Recorder(Protocol):
    """Where a search notes how far it came; `search.runs.run_folder.RunFolder` is one."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        ...

    @property
    def keeps_order(self) -> bool:
        """Whether the ledger is this search's alone, so that it can hold the order of what was asked and told."""
        ...

    @property
    def saved(self) -> int:
        """How many generations were saved when the search began."""
        ...

    def check(self, number: int, genes: Genes) -> None:
        """Raise InputError for a generation (N, genes) that is another than the one of this number that was saved."""
        ...

    def save(self, number: int, genes: Genes) -> None:
        """Note that a generation (N, genes) is complete."""
        ...
