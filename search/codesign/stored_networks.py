"""Sweeps of networks as they lie on disk: what `mohaq runs` lists and `mohaq show` prints."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from search.codesign.network_sweep import MOST_POINTS, NetworkPoint
from search.runs.run_folder import NETWORKS
from search.runs.stored_files import MOST_BYTES, StoredNetworks, StoredNetworkState
from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import read_json
from simulators.inputs.source_locations import shown

_POINT = TypeAdapter(NetworkPoint)


class NetworkRun(NamedTuple):
    """The folder of a sweep of networks: what it is of, and its points if it is finished."""

    folder: Path
    sweep: StoredNetworks
    points: list[NetworkPoint] | None


def is_network_run(folder: Path) -> bool:
    """Whether a folder is one of a sweep of networks."""
    return (folder / NETWORKS.state_file).is_file()


def load_network_run(folder: Path) -> NetworkRun:
    """Read the folder of a sweep of networks. Raises InputError for what is damaged."""
    sweep = read_json(folder / NETWORKS.state_file, StoredNetworkState).identity.experiment
    table = folder / NETWORKS.results_file
    return NetworkRun(folder, sweep, _points(table) if table.exists() else None)


def find_network_runs(folder: Path) -> tuple[list[NetworkRun], list[str]]:
    """Those in a folder and in the folders below it, by path, and what is wrong with others that cannot be read."""
    runs, complaints = [], []
    for path in sorted(state.parent for state in folder.rglob(NETWORKS.state_file)):
        try:
            runs.append(load_network_run(path))
        except InputError as error:
            complaints.append(str(error))
    return runs, complaints


def listed(run: NetworkRun) -> tuple[str, ...]:
    """What `mohaq runs` says of one, column by column."""
    found = "unfinished" if run.points is None else f"{len(run.points):,} points"
    return str(run.folder), run.sweep.name, ", ".join(run.sweep.networks), run.sweep.arch, "", found, ""


def _points(path: Path) -> list[NetworkPoint]:
    """The rows of a table. Raises InputError with file and line."""
    rows = csv.reader(io.StringIO(read_text(path, MOST_BYTES)))
    points: list[NetworkPoint] = []
    try:
        if (heading := next(rows, [])) != [*NetworkPoint._fields]:
            raise InputError(f"{path}:1: {shown(heading)}: expected the columns {', '.join(NetworkPoint._fields)}")
        for row in rows:
            if len(points) == MOST_POINTS:
                raise InputError(f"{path}:{rows.line_num}: more than {MOST_POINTS:,} points")
            points.append(_POINT.validate_python(dict(zip(heading, row, strict=True))))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = f"{path}:{rows.line_num}: {first['loc'][0]}"
        raise InputError(f"{where}: {shown(first['input'])}: {first['msg']}") from None
    except (csv.Error, ValueError) as error:
        raise InputError(f"{path}:{rows.line_num}: {error}") from None
    return points
