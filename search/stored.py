"""Runs as they lie on disk: what `mohaq runs` lists and `mohaq show` prints."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.outputs import RESULTS_FILE
from search.state import STATE_FILE
from simulators.errors import InputError


@dataclass(frozen=True)
class StoredRun:
    """A run's folder: its experiment, how far it came, and its results if it is finished."""

    folder: Path
    experiment: dict[str, Any]
    generations: int
    """Complete ones, the initial population not counted; -1 before that is complete."""
    results: dict[str, Any] | None
    """What `pareto.json` holds."""
    foreign: bool = False
    """Whether another version of mohaq wrote the results."""


def load_run(folder: Path) -> StoredRun:
    """Read a run's folder. Raises InputError if it is none."""
    try:
        state = json.loads((folder / STATE_FILE).read_text())
        experiment, generations = state["identity"]["experiment"], len(state["generations"]) - 1
        path = folder / RESULTS_FILE
        results = json.loads(path.read_text()) if path.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{folder}: no run of a search: it holds no {STATE_FILE} of one") from None
    foreign = results is not None and "screened" not in results
    return StoredRun(folder, experiment, generations, None if foreign else results, foreign)


def find_runs(folder: Path) -> list[StoredRun]:
    """The runs in a folder and in the folders below it, by path. Raises InputError if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return [load_run(path.parent) for path in sorted(folder.rglob(STATE_FILE))]
