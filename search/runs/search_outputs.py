"""What a search leaves in its folder.

- `pareto.csv`, `pareto.json`: the front, with bits, objectives and figures of each solution; the baselines;
  in the JSON also every candidate that was looked at, in order.
- `pareto.png`: error against the other objectives.
- `claims.md`, of a published experiment: what was published beside what was found.
- `solutions/NNN.yaml`: one trace a solution, which `mohaq simulate` reads.
- `run.yaml`: the experiment with every default, the digests and versions that it depends on, and the command.
"""

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import yaml

from search.evaluation.model import solution_trace
from search.objectives.columns import WORST
from search.runs.checked_front import front_cells
from search.runs.front_plot import draw_front
from search.runs.identity import Identity
from search.runs.mohaq_claims import claims_of, table_of
from search.runs.results import Run, Solution
from search.runs.rows import columns, rows_of
from search.runs.run_folder import SEARCH
from simulators.inputs import plugins
from simulators.inputs.csv_text import csv_of
from simulators.inputs.escapes import shell_word
from simulators.inputs.files import make_folder, make_room, write_whole

try:
    from yaml import CSafeDumper as Dumper  # an experiment may list thousands of variants
except ImportError:  # PyYAML without libyaml
    from yaml import SafeDumper as Dumper  # type: ignore[assignment]

LIBRARIES = ("mohaq", "numpy", "torch", "numba", "pymoo")
"""Packages whose versions a run records."""


def results_of(run: Run) -> dict[str, Any]:
    """The front and the baselines as rows, and what they came from."""
    of_test = front_cells(run)
    front = [row | more for row, more in zip(rows_of(run, run.front), of_test[0], strict=True)]
    baselines = [row | more for row, more in zip(rows_of(run, list(run.baselines.values())), of_test[1], strict=True)]
    visited = zip(rows_of(run, run.visited), run.feasible, map(_share, run.visited), strict=True)
    return {
        "experiment": run.experiment.to_dict(),
        "error_limit": run.error_limit,
        "budget": run.budget.stored(),
        "float_error": run.float_error,
        "retraining": None if run.retraining is None else run.retraining.stored(),
        "candidates": len(run.visited),
        "screened": _screened(run),
        "set_aside": [solution.name for solution in run.set_aside],
        "no_number": [solution.name for solution in run.no_number],
        "front": [{"solution": f"{i:03d}", **row} for i, row in enumerate(front)],
        "baselines": [{"solution": f"{width}-bit", **row} for width, row in zip(run.baselines, baselines, strict=True)],
        "visited": [{**row, "feasible": feasible, **share} for row, feasible, share in visited],
        "claims": [asdict(claim) for claim in claims_of(run)],
        "confirmed": len(run.confirmed),
        "held_out": None if run.check is None else run.check.about(),
    }


def _screened(run: Run) -> int:
    """How many candidates were over a limit that is known before an error is. Where no error is asked for, all
    candidates are without one, and none was evaluated to be within limits of it."""
    if not run.experiment.needs_error:
        return 0
    return sum(s.quality is None for s in run.visited) - len(run.set_aside) - len(run.no_number)


def _share(solution: Solution) -> dict[str, float]:
    """What share of the utterances a candidate's error is of, where it is not all."""
    share = 1.0 if solution.quality is None else solution.quality.share
    return {} if share == 1 else {"share": share}


def write_outputs(run: Run, identity: Identity) -> None:
    """Write everything, each file whole or not at all, the results last: a run that has them is finished. Raises
    InputError where that cannot be."""
    content, names = results_of(run), ("solution", *columns(run.experiment.objectives))
    names += WORST if run.experiment.thresholds else ()
    write_whole(run.folder / "pareto.csv", csv_of(content["front"], names).encode())
    if content["claims"]:
        write_whole(run.folder / "claims.md", table_of(content["claims"]).encode())
    write_whole(run.folder / "pareto.png", draw_front(run))
    _write_traces(run)
    write_whole(run.folder / "run.yaml", record_of(identity, "search").encode())
    write_whole(run.folder / SEARCH.results_file, (json.dumps(content, indent=1) + "\n").encode())


def _write_traces(run: Run) -> None:
    """One by one, in place: there is no moment without them. What an earlier front had more of goes, and what is no
    file, which would have something else written."""
    folder, names = run.folder / "solutions", [f"{i:03d}" for i in range(len(run.front))]
    if folder.is_symlink():
        folder.unlink()
    make_folder(folder)
    former = [path for path in folder.iterdir() if path.name.split(".")[0].isdigit()]
    for path in former:
        make_room(path)
        if path.is_file() and (path.name.split(".")[0] not in names or path.suffix == ".npz"):
            path.unlink()
    for name, solution in zip(names, run.front, strict=True):
        model = run.retrained.get(solution.chosen.beacon, run.model)
        solution_trace(model, solution.bits, run.experiment.steps).save(folder / f"{name}.yaml")


def record_of(identity: Identity, command: str) -> str:
    """What a run's `run.yaml` says: the experiment, digests and versions, and how `mohaq COMMAND` repeats it."""
    options = "".join(f" --plugin {shell_word(plugin.path)}" for plugin in plugins.loaded())
    content = {
        "experiment": identity["experiment"],
        "digests": identity["digests"],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "repeat": f"mohaq {command} run.yaml --out NEW_FOLDER{options}",
    }
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=110)
