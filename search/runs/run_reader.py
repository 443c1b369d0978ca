"""Runs as they lie on disk: what `mohaq runs` lists and `mohaq show` prints."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.runs.run_folder import CODESIGN, SEARCH, RunKind
from simulators.inputs.errors import InputError

KINDS = (SEARCH, CODESIGN)


@dataclass(frozen=True)
class StoredRun:
    """A run's folder: its experiment, how far it came, and its results if it is finished."""

    folder: Path
    experiment: dict[str, Any]
    """The experiment's keys, every default written out."""
    generations: int
    """Complete ones, the initial population not counted; -1 before that is complete. A sweep has none."""
    results: dict[str, Any] | None
    """What `pareto.json` holds, or `sweep.json` of a co-design."""
    foreign: bool
    """Whether another version of mohaq wrote the results."""
    is_codesign: bool
    """Whether hardware is varied."""


def load_run(folder: Path) -> StoredRun:
    """Read a run's folder. Raises InputError if it is none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'it is a file, and a run is a folder' if folder.exists() else 'no such folder'}")
    kind = next((kind for kind in KINDS if (folder / kind.state_file).is_file()), SEARCH)
    try:
        state = json.loads((folder / kind.state_file).read_text())
        experiment, generations = state["identity"]["experiment"], len(state["generations"]) - 1
        results = _results(folder, kind)
    except (OSError, ValueError, KeyError, TypeError):
        there = (folder / kind.state_file).exists()
        has = f"its {kind.state_file} is not of one" if there else f"it holds no {SEARCH.state_file}"
        raise InputError(f"{folder}: no run of a search: {has}") from None
    foreign = results is not None and kind.results_key not in results
    return StoredRun(folder, experiment, generations, None if foreign else results, foreign, kind == CODESIGN)


def _results(folder: Path, kind: RunKind) -> dict[str, Any] | None:
    """What a run found; None if it is not finished."""
    path = folder / kind.results_file
    results: dict[str, Any] | None = json.loads(path.read_text()) if path.is_file() else None
    return results


def find_runs(folder: Path) -> tuple[list[StoredRun], list[str]]:
    """The runs in a folder and in the folders below it, by path, and what is wrong with those that cannot be read.
    Raises InputError if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'it is a file, and a folder is wanted' if folder.exists() else 'no such folder'}")
    runs, complaints = [], []
    for path in sorted({path.parent for kind in KINDS for path in folder.rglob(kind.state_file)}):
        try:
            runs.append(load_run(path))
        except InputError as error:
            complaints.append(str(error))
    return runs, complaints
