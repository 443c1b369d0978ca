"""Sweeps of networks as they lie on disk: what `mohaq runs` lists and `mohaq show` prints."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from search.codesign.network_sweep import NetworkPoint, NetworkSweep
from search.runs.run_folder import NETWORKS
from search.runs.run_reader import runs_below
from search.runs.stored_files import MOST_BYTES, StoredNetworkState
from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import read_json
from simulators.inputs.source_locations import shown

_POINT = TypeAdapter(NetworkPoint)


class NetworkRun(NamedTuple):
    """The folder of a sweep of networks: what it is of, and its points if it is finished."""

    folder: Path
    sweep: NetworkSweep
    points: list[NetworkPoint] | None


def load_network_run(folder: Path) -> NetworkRun:
    """Read the folder of a sweep of networks. Raises InputError for what is damaged."""
    state, table = folder / NETWORKS.state_file, folder / NETWORKS.results_file
    stored = read_json(state, StoredNetworkState).identity.experiment
    try:
        sweep = NetworkSweep.model_validate(stored.model_dump())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{state}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    points = _points(table) if table.exists() or table.is_symlink() else None
    if points is not None and len(points) != sweep.count:
        raise InputError(f"{table}: {len(points):,} points: the sweep has {sweep.count:,}")
    return NetworkRun(folder, sweep, points)


def find_network_runs(folder: Path) -> tuple[list[NetworkRun], list[str]]:
    """The sweeps of networks in a folder and in the folders below it: see `search.runs.run_reader.runs_below`."""
    return runs_below(folder, (NETWORKS,), load_network_run)


def listed(run: NetworkRun) -> tuple[str, ...]:
    """What `mohaq runs` says of one, column by column."""
    found = "unfinished" if run.points is None else f"{len(run.points):,} points"
    return str(run.folder), run.sweep.name, ", ".join(run.sweep.networks), run.sweep.arch, "", found, ""


def _points(path: Path) -> list[NetworkPoint]:
    """The rows of a table. Raises InputError with file and line."""
    rows, fields = csv.reader(io.StringIO(read_text(path, MOST_BYTES)), strict=True), [*NetworkPoint._fields]
    points: list[NetworkPoint] = []
    rule = "nothing"
    try:
        for row in rows:
            if rows.line_num == 1 and row != fields:
                rule = f"expected the columns {', '.join(fields)}"
            elif len(row) != len(fields):
                rule = f"{len(row)} cells: expected {len(fields)}"
            elif rows.line_num > 1:
                points.append(_POINT.validate_python(dict(zip(fields, row, strict=True))))
                if not all(0 <= value < float("inf") for value in points[-1] if not isinstance(value, str)):
                    rule = "expected figures of at least 0 that are finite"
            if rule != "nothing":
                break
        else:
            if rows.line_num:
                return points
            rule = "it is empty"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        rule = f"{first['loc'][0]}: {shown(first['input'])}: {first['msg']}"
    except csv.Error as error:
        rule = str(error)
    raise InputError(f"{path}:{max(rows.line_num, 1)}: {rule}")
