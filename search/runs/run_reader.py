"""Runs as they lie on disk: what `mohaq runs` lists and `mohaq show` prints."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from search.runs.run_folder import CODESIGN, NETWORKS, SEARCH, RunKind
from search.runs.stored_files import MOST_BYTES, SearchResults, Stored, StoredState, SweepResults
from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import json_as, parse_json, read_json
from simulators.inputs.source_locations import shown

Loaded = TypeVar("Loaded")
KINDS = (SEARCH, CODESIGN)
RESULTS: dict[RunKind, type[Stored]] = {SEARCH: SearchResults, CODESIGN: SweepResults}


@dataclass(frozen=True)
class StoredRun:
    """A run's folder: its experiment, how far it came, and its results if it is finished."""

    folder: Path
    experiment: dict[str, Any]
    """The experiment's keys, every default written out."""
    digests: Mapping[str, str]
    """What it depends on besides: see `search.runs.identity`."""
    generations: int
    """Complete ones, the initial population not counted; -1 before that is complete. A sweep has none."""
    results: dict[str, Any] | None
    """What `pareto.json` holds, or `sweep.json` of a co-design."""
    foreign: bool
    """Whether another version of mohaq wrote the results."""
    is_codesign: bool
    """Whether hardware is varied."""


def is_network_run(folder: Path) -> bool:
    """Whether a folder is that of a sweep of networks."""
    return (folder / NETWORKS.state_file).is_file()


def load_run(folder: Path) -> StoredRun:
    """Read a run's folder. Raises InputError if it is none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'it is a file, and a run is a folder' if folder.exists() else 'no such folder'}")
    kind = next((kind for kind in KINDS if (folder / kind.state_file).is_file()), SEARCH)
    if is_network_run(folder):
        raise InputError(f"{folder}: a sweep of networks, which has no front: its table is {NETWORKS.results_file}")
    state_file, results_file = folder / kind.state_file, folder / kind.results_file
    if not state_file.exists():
        raise InputError(f"{folder}: no run of a search: it holds no {SEARCH.state_file}")
    state = read_json(state_file, StoredState)
    results = _results(results_file, kind) if results_file.exists() else None
    foreign = results is not None and kind.results_key not in results
    experiment = state.identity.experiment.model_dump()
    # A method may ask for less at a time than a generation has.
    generations = min(len(state.generations) - 1, experiment["generations"])
    digests, known = state.identity.digests, None if foreign else results
    return StoredRun(folder, experiment, digests, generations, known, foreign, kind == CODESIGN)


def _results(path: Path, kind: RunKind) -> dict[str, Any]:
    """What a run found, with defaults for what its version did not know; as it is where another's wrote it."""
    text = read_text(path, MOST_BYTES)
    content = parse_json(text, str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: {shown(content)}: expected a mapping of keys to values")
    if kind.results_key in content:
        return json_as(RESULTS[kind], text, str(path)).model_dump()
    return content


def find_runs(folder: Path) -> tuple[list[StoredRun], list[str]]:
    """The runs in a folder and in the folders below it, by path, and what is wrong with those that cannot be read.
    Raises InputError if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'it is a file, and a folder is wanted' if folder.exists() else 'no such folder'}")
    return runs_below(folder, KINDS, load_run)


def runs_below(
    folder: Path, kinds: Sequence[RunKind], load: Callable[[Path], Loaded]
) -> tuple[list[Loaded], list[str]]:
    """The runs of some kinds in a folder and in the folders below it, by path, and what is wrong with those that cannot
    be read."""
    runs, complaints = [], []
    for path in sorted({path.parent for kind in kinds for path in folder.rglob(kind.state_file)}):
        try:
            runs.append(load(path))
        except InputError as error:
            complaints.append(str(error))
    return runs, complaints
