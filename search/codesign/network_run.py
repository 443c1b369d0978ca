"""A sweep of networks in its folder: a finished pair of network and architecture is a file, `parts/NNNNN.json`, until
all are, and a sweep that was killed goes on with those that are missing."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from search.codesign.network_sweep import NetworkPoint, NetworkSweep, Pair, PairsOnEach
from search.codesign.network_sweep_outputs import write_networks
from search.codesign.sweep import SweepProgress
from search.codesign.sweep_parts import PARTS
from search.runs.identity import Identity, digest_of, plugin_digests
from search.runs.run_folder import NETWORKS, RunFolder
from simulators.inputs.cores import processes
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.inputs.json_files import read_json
from simulators.run.cost_code import cost_code
from simulators.run.parallel_sweep import simulate_on_all

MOST_BYTES = 1 << 20
"""Size of a part: a row for each width, of 32 at most."""


class _Part(BaseModel):
    """A finished pair."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    points: tuple[NetworkPoint, ...] = Field(max_length=32)


_Made = tuple[int, list[NetworkPoint]]
"""A position among the pairs of a network, and that pair's points."""


class _Place(NamedTuple):
    """A pair, and where its points are kept."""

    pair: Pair
    path: Path


def run_networks(
    sweep: NetworkSweep, folder: Path, resume: bool = False, progress: SweepProgress | None = None,
    workers: int | None = None,
) -> list[NetworkPoint]:  # fmt: skip
    """All points, network by network; table and figure are in the folder then. `workers`: processes, one a core by
    default. Raises InputError for a folder that cannot be used (see `RunFolder`) and for a variant that cannot run a
    network, by name."""
    pairs, at_once = sweep.pairs(), processes(workers)
    with RunFolder(folder, _identity_of(sweep, pairs), resume, NETWORKS, extends=False):
        places = [_Place(pair, folder / PARTS / f"{number:05d}.json") for number, pair in enumerate(pairs)]
        make_folder(folder / PARTS)
        points = _points(sweep, places, progress, at_once)
        write_networks(sweep, points, folder)
        shutil.rmtree(folder / PARTS, ignore_errors=True)
    return points


def _points(
    sweep: NetworkSweep, places: Sequence[_Place], progress: SweepProgress | None, workers: int
) -> list[NetworkPoint]:
    """The points of all pairs, in order: those that are there, and those that are made and kept now."""
    found = {place.path: part for place in places if (part := _read(sweep, place)) is not None}
    if progress:
        progress.simulating(len(found), len(places), len(sweep.weight_bits))
    missing = [place for place in places if place.path not in found]
    for _, of_network in groupby(missing, lambda place: place.pair.trace.digest):
        waiting = list(of_network)
        pairs = [place.pair for place in waiting]
        made = simulate_on_all(PairsOnEach.of(sweep, pairs), [pair.arch for pair in pairs], workers)
        with closing(made):
            for i, points in _or_begin_anew(made, places[0].path.parent):
                part = [point._replace(variant=pairs[i].variant, grid=pairs[i].grid) for point in points]
                found[waiting[i].path] = part
                write_whole(waiting[i].path, json.dumps({"points": part}).encode(), durable=False)
                if progress:
                    progress.simulating(len(found), len(places), len(sweep.weight_bits))
    return [point for place in places for point in found[place.path]]


def _or_begin_anew(made: Iterator[_Made], parts: Path) -> Iterator[_Made]:
    """What is made; where something cannot be, the sweep never ends, and another begins anew in its folder."""
    try:
        yield from made
    except InputError:
        shutil.rmtree(parts, ignore_errors=True)
        raise


def _read(sweep: NetworkSweep, place: _Place) -> list[NetworkPoint] | None:
    """The points of a finished pair, or None: what is damaged is made again."""
    if not place.path.exists():
        return None
    try:
        points = read_json(place.path, _Part, MOST_BYTES).points
    except InputError:
        return None
    pair = place.pair
    wanted = [(pair.trace.name, pair.variant, pair.grid, bits) for bits in sweep.weight_bits]
    return list(points) if [point[: len(wanted[0])] for point in points] == wanted else None


def _identity_of(sweep: NetworkSweep, pairs: Sequence[Pair]) -> Identity:
    """All that the points depend on: digests by the names that a message has for them."""
    digests = {
        "networks": digest_of(dict.fromkeys(pair.trace.digest for pair in pairs)),
        "hardware": digest_of(pair.arch.digest for pair in pairs),
        "code of the simulator": cost_code(pairs[0].arch.platform).digest(),
        **plugin_digests(),
    }
    return {"experiment": sweep.model_dump(mode="json"), "digests": digests}
