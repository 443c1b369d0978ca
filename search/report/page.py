"""A report of searches and sweeps as one HTML file that needs no network: the front by any two figures, what is known
of a solution, variants of hardware side by side, how the front grew, and where MOHAQ's closed form and the simulator
disagree.

The page holds its data as JSON, plotly.js and the scripts that draw.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from search.codesign.sweep_outputs import POINTS_FILE
from search.evaluation.ledger import LEDGER_FILE
from search.evaluation.model import Model
from search.report.analysis import Analysis, analyse
from search.report.data import gather
from search.report.page_data import page_data
from search.report.picture import draw_report
from search.report.policies_picture import draw_policies
from search.report.table import csv_of
from search.runs.run_folder import CODESIGN, SEARCH
from simulators.inputs.errors import InputError
from simulators.inputs.escapes import page_text, visible
from simulators.inputs.files import check_targets, resolved, write_output
from simulators.inputs.locks import LOCK_FILE

OWN_FILES = (
    LOCK_FILE, SEARCH.state_file, SEARCH.results_file, "pareto.csv", "pareto.png", "run.yaml", "claims.md", LEDGER_FILE,
    CODESIGN.state_file, CODESIGN.results_file, "sweep.csv", "sweep.png", "fronts.csv", "variants.csv", POINTS_FILE,
)  # fmt: skip
"""Names in a run's folder that no report may take."""

SCRIPTS = (
    "basics",
    "runs",
    "axes",
    "plane",
    "solution",
    "front_table",
    "variants",
    "survey",
    "policies",
    "front_bits",
    "growth",
    "closed_form",
    "start",
)
"""The page's scripts in the order in which it runs them, in one scope."""


def make_report(folders: Sequence[Path], models: Mapping[Path, Model] | None = None) -> Analysis:
    """Read, check and analyse runs. Raises InputError: see `search.report.data.gather`."""
    return analyse(gather(folders, models))


def write_report(
    folders: Sequence[Path],
    page: Path,
    png: Path | None = None,
    table: Path | None = None,
    models: Mapping[Path, Model] | None = None,
    policies: Path | None = None,
) -> Analysis:
    """Write the page, and the picture (PNG), that of policies by hardware (PNG) and the table of all points (CSV) where
    they are asked for.

    Raises InputError also for a file that cannot be written or that is the run's own.
    """
    targets = {"the page": page, "the picture": png, "the table": table, "the policies": policies}
    check_targets(targets, {})
    for target in targets.values():
        if target is not None:
            _keep_own_files(target, folders)
    report = make_report(folders, models)
    contents = [(page, page_of(report).encode())]
    contents += [(png, draw_report(report))] if png else []
    contents += [(policies, draw_policies(report))] if policies else []
    contents += [(table, csv_of(report).encode())] if table else []
    for target, content in contents:
        write_output(target, content)
    return report


def page_of(report: Analysis) -> str:
    """The HTML."""
    from plotly.offline import get_plotlyjs

    package = files("search.report")
    data = json.dumps(_printable(page_data(report)), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    own = [package.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    plotly, script = get_plotlyjs(), "\n".join(['"use strict";', "{", *own, "}"])
    parts = {
        "@TITLE@": page_text(f"mohaq report: {', '.join(run.label for run in report.runs)}"),
        "@HASHES@": " ".join(_hash_of(text) for text in (plotly, script)),
        "@PLOTLY@": plotly,
        "@DATA@": data,
        "@SCRIPT@": script,
    }
    template = package.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub("|".join(parts), lambda match: parts[match[0]], template)


def _printable(data: Any) -> Any:
    """Data whose texts are visible ones: a page would obey bidirectional controls, in a command too."""
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, dict):
        return {visible(key): _printable(value) for key, value in data.items()}
    return [_printable(value) for value in data] if isinstance(data, list | tuple) else data


def _hash_of(script: str) -> str:
    """A script by its content, as a source of the page's Content-Security-Policy: no other one runs."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _keep_own_files(target: Path, folders: Sequence[Path]) -> None:
    place = resolved(target)
    if place.name in OWN_FILES and any(place.parent == resolved(folder) for folder in folders):
        raise InputError(f"{target}: the run's own file: the report needs another name")
