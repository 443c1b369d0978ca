"""What a search leaves in its folder.

- `pareto.csv`, `pareto.json`: the front, with bits, objectives and figures of each solution; the baselines;
  in the JSON also every candidate that was looked at, in order.
- `pareto.png`: error against the other objectives.
- `claims.md`, of a published experiment: what was published beside what was found.
- `solutions/NNN.yaml`: one trace a solution, which `mohaq simulate` reads.
- `run.yaml`: the experiment with every default, the digests and versions that it depends on, and the command.
"""

import csv
import io
import json
import platform
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import yaml

from search.runs.front_plot import draw_front
from search.runs.mohaq_claims import claims_of, table_of
from search.runs.results import Run, Solution
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # an experiment may list thousands of variants
_LIBRARIES = ("mohaq", "numpy", "torch", "numba", "pymoo")


RESULTS_FILE = "pareto.json"

COLUMNS = (
    "error", "error_plain", "latency_ms", "energy_uj", "memory_mib", "mohaq_speedup", "mohaq_energy_uj", "cycles",
    "beacon", "error_original", "bits",
)  # fmt: skip
"""The keys of `describe`, in their order."""


def results_of(run: Run) -> dict[str, Any]:
    """The front and the baselines as rows, and what they came from."""
    return {
        "experiment": run.experiment.to_dict(),
        "error_limit": run.error_limit,
        "candidates": len(run.visited),
        "screened": sum(solution.quality is None for solution in run.visited) - len(run.set_aside),
        "set_aside": [solution.name for solution in run.set_aside],
        "front": [{"solution": f"{i:03d}", **describe(solution)} for i, solution in enumerate(run.front)],
        "baselines": [{"solution": f"{width}-bit", **describe(s)} for width, s in run.baselines.items()],
        "visited": [{**describe(s), "feasible": ok} for s, ok in zip(run.visited, run.feasible, strict=True)],
        "claims": [asdict(claim) for claim in claims_of(run)],
    }


def write_outputs(run: Run, identity: dict[str, Any]) -> None:
    """Write everything, each file whole or not at all. Raises InputError where that cannot be."""
    try:
        _write(run, identity)
    except OSError as error:
        raise InputError(f"{run.folder}: the results cannot be written: {error.strerror}") from None


def _write(run: Run, identity: dict[str, Any]) -> None:
    content = results_of(run)
    write_whole(run.folder / "pareto.csv", csv_of(content["front"], ("solution", *COLUMNS)).encode())
    write_whole(run.folder / RESULTS_FILE, (json.dumps(content, indent=1) + "\n").encode())
    if content["claims"]:
        write_whole(run.folder / "claims.md", table_of(content["claims"]).encode())
    write_whole(run.folder / "pareto.png", draw_front(run))
    _write_traces(run)
    write_whole(run.folder / "run.yaml", record_of(identity, "search").encode())


def describe(solution: Solution) -> dict[str, Any]:
    """A solution as a flat row; units in the names, error rates in percent."""
    quality, cost = solution.quality, solution.cost
    return {
        "error": None if quality is None else round(quality.error, 4),
        "error_plain": None if quality is None else round(quality.error_plain, 4),
        "latency_ms": cost.latency_ms,
        "energy_uj": cost.energy_uj,
        "memory_mib": round(cost.memory_mib, 4),
        "mohaq_speedup": None if cost.mohaq_speedup is None else round(cost.mohaq_speedup, 4),
        "mohaq_energy_uj": None if cost.mohaq_energy_uj is None else round(cost.mohaq_energy_uj, 4),
        "cycles": cost.cycles,
        "beacon": "" if quality is None else quality.beacon,
        "error_original": None if quality is None else quality.error_original,
        "bits": solution.name,
    }


def csv_of(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> str:
    """Rows with these columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_traces(run: Run) -> None:
    """A new folder takes the place of the old one, so that a resumed run leaves no solutions of an earlier front."""
    final, new = run.folder / "solutions", run.folder / ".solutions"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for i, solution in enumerate(run.front):
        run.model.trace(solution.bits, run.experiment.steps).save(new / f"{i:03d}.yaml")
    shutil.rmtree(final, ignore_errors=True)
    new.rename(final)


def record_of(identity: dict[str, Any], command: str) -> str:
    """What a run's `run.yaml` says: the experiment, digests and versions, and how `mohaq COMMAND` repeats it."""
    content = {
        "experiment": identity["experiment"],
        "digests": identity["digests"],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        "repeat": f"mohaq {command} run.yaml --out NEW_FOLDER",
    }
    return yaml.dump(content, Dumper=_DUMPER, sort_keys=False, default_flow_style=None, width=110)
