"""Runs as they lie on disk: what `mohaq runs` lists and `mohaq show` prints."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.codesign import sweep_outputs as of_codesign
from search.runs.run_folder import CODESIGN_STATE_FILE, STATE_FILE
from search.runs.search_outputs import RESULTS_FILE
from simulators.inputs.errors import InputError

KINDS = {STATE_FILE: (RESULTS_FILE, "screened"), CODESIGN_STATE_FILE: (of_codesign.RESULTS_FILE, "hardware")}
"""Of a state file: the results beside it, and a key that this version's hold."""


@dataclass(frozen=True)
class StoredRun:
    """A run's folder: its experiment, how far it came, and its results if it is finished."""

    folder: Path
    experiment: dict[str, Any]
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
    state_file = next((name for name in KINDS if (folder / name).is_file()), STATE_FILE)
    results_file, key = KINDS[state_file]
    try:
        state = json.loads((folder / state_file).read_text())
        experiment, generations = state["identity"]["experiment"], len(state["generations"]) - 1
        path = folder / results_file
        results = json.loads(path.read_text()) if path.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        has = f"its {state_file} is not of one" if (folder / state_file).exists() else f"it holds no {STATE_FILE}"
        raise InputError(f"{folder}: no run of a search: {has}") from None
    foreign = results is not None and key not in results
    return StoredRun(
        folder, experiment, generations, None if foreign else results, foreign, state_file == CODESIGN_STATE_FILE
    )


def find_runs(folder: Path) -> tuple[list[StoredRun], list[str]]:
    """The runs in a folder and in the folders below it, by path, and what is wrong with those that cannot be read.
    Raises InputError if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'it is a file, and a folder is wanted' if folder.exists() else 'no such folder'}")
    runs, complaints = [], []
    for path in sorted({path.parent for name in KINDS for path in folder.rglob(name)}):
        try:
            runs.append(load_run(path))
        except InputError as error:
            complaints.append(str(error))
    return runs, complaints
