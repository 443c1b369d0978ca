"""What a report tells of finished searches and sweeps: their points, checked against model and hardware, and the
solutions simulated again layer by layer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from search.codesign.sweep_outputs import POINTS_FILE
from search.evaluation.experiment_model import ExperimentModel
from search.evaluation.model import Model
from search.evaluation.retraining_cost import retraining_line
from search.objectives import Floats, Objective
from search.report.commands import Commands
from search.report.held_out_figures import with_test
from search.report.points import Points, points_arrays
from search.report.reading import Reading, of_utterances
from search.runs.budget_limits import NO_BUDGET, BudgetLimits
from search.runs.check_display import luck_line
from search.runs.identity import digest_of_hardware
from search.runs.run_folder import CODESIGN
from search.runs.run_reader import load_run
from search.runs.session import hardware_of
from search.settings.experiment import Experiment
from search.settings.experiment_source import located
from search.space.hardware_variants import Hardware
from simulators import Arch, Report, Trace, load_trace, simulate
from simulators.engine.program import Ints
from simulators.inputs.arrays import read_arrays
from simulators.inputs.documents import read_document
from simulators.inputs.errors import InputError
from simulators.inputs.escapes import shell_word
from simulators.inputs.files import resolved

MOST_DETAILS = 2_000
"""Solutions of a front that are simulated layer by layer; of a larger one so many, evenly drawn."""
MOST_BYTES = 1 << 29
"""Size of a sweep's points: some ten million."""


@dataclass(frozen=True)
class Detail:
    """A row of the front or a baseline with its simulation."""

    row: dict[str, Any]
    trace: Trace
    report: Report
    """The trace's simulation, layer by layer."""
    commands: tuple[str, ...]
    """Commands that reproduce its error and its cycles."""


@dataclass(frozen=True)
class BestPolicy:
    """The solution of a front that errs least; of several the fastest."""

    model: str
    """Digest of the network."""
    error: float
    """Error rate in percent, worst of the groups of speakers."""
    bits: str
    """The candidate's name."""
    trace: Trace
    """Its layers at these bits."""


@dataclass(frozen=True)
class ReportedRun:
    """A finished search or sweep, its figures checked. A search's hardware is one variant."""

    label: str
    """What it is called among the runs of a report."""
    folder: Path
    experiment: Experiment
    hardware: Hardware
    error_limit: float | None
    """Largest feasible error in percent."""
    points: Points
    """Points of a search in order of evaluation, those of a co-design by variant."""
    details: Mapping[int, Detail]
    """Details of solutions by their position in the front: of all of it, or of MOST_DETAILS."""
    baselines: tuple[Detail, ...]
    """The candidates of one width for everything; a co-design has none."""
    commands: Commands
    """The commands that reproduce its points."""
    budget: BudgetLimits = NO_BUDGET
    """What a feasible candidate may cost, of what 8 bits do."""
    best: BestPolicy | None = None
    """What errs least; None of a co-design, and where nothing is feasible or errors are not known."""
    luck: str = ""
    """How much of its lowest error is luck, in words; empty where that is not known."""
    retraining: str = ""
    """What its retrainings cost, in words; empty where it has none."""

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """What was optimised."""
        return self.experiment.resolved_objectives

    @property
    def is_codesign(self) -> bool:
        """Whether hardware was varied: then points have no order of evaluation."""
        return bool(self.experiment.hardware)

    def keeps(self, row: Mapping[str, Any]) -> bool:
        """Whether a candidate of one width for everything, by its row, keeps all limits."""
        within = self.experiment.constraints.kept_by(row["memory_mib"], row["error"], self.error_limit)
        return within and self.budget.kept_by_figures(row)


def gather(folders: Sequence[Path], models: Mapping[Path, Model] | None = None) -> list[ReportedRun]:
    """Read, check and simulate runs. `models` are those of runs by folder whose model is not a checkpoint's.

    Raises InputError for a folder without a finished run, one given twice, or one whose model, hardware or traces are
    not what they were.
    """
    places = [resolved(folder) for folder in folders]
    for i, folder in enumerate(folders):
        if places[i] in places[:i]:
            raise InputError(f"{folder}: the same run twice")
    short = [folder.name for folder in places]
    labels = short if len({*short}) == len(short) else [str(folder) for folder in folders]
    return [_run(folder, label, (models or {}).get(folder)) for folder, label in zip(folders, labels, strict=True)]


def _again(folder: Path) -> str:
    """What a message tells to run."""
    return f"its command with `--out {shell_word(str(folder))} --resume`"


@located
def _made_of(experiment: Experiment, model: Model | None) -> tuple[Hardware, Model]:
    return hardware_of(experiment), model or ExperimentModel.of(experiment)()


def _run(folder: Path, label: str, given: Model | None) -> ReportedRun:
    stored = load_run(folder)
    again = _again(folder)
    results = stored.results
    if stored.foreign or (results is not None and not stored.is_codesign and "visited" not in results):
        raise InputError(f"{folder}: another version of mohaq wrote its results; {again} writes them anew")
    if results is None:
        raise InputError(f"{folder}: the run is not finished: {again} continues it")
    experiment = Experiment.load(folder / "run.yaml")
    hardware, model = _made_of(experiment, given)
    _check_digests(folder, experiment, hardware, model)
    sends = any(map(of_utterances, results["front"]))
    commands = Commands.of(folder, experiment, hardware, stored.digests, checkpoint=given is None, sends=sends)
    reading = Reading(label, stored, results, experiment, hardware, model, commands)
    return _sweep(reading) if stored.is_codesign else _search(reading)


def _search(reading: Reading) -> ReportedRun:
    results, commands, steps = reading.results, reading.commands, reading.experiment.steps
    variant = reading.hardware.variants[0]

    def errors(row: dict[str, Any]) -> list[str]:
        return [] if row["error"] is None else commands.error_of(row["bits"], row["beacon"])

    front = [row["bits"] for row in results["front"]]
    visited = [row["bits"] for row in results["visited"]]
    reading.check([*visited, *front, *(row["beacon"] for row in results["visited"] if row["beacon"])])
    if lost := {*front} - {*visited}:
        raise InputError(f"{reading.results_file}: front: {min(lost)}: not among the candidates that were visited")
    rows = with_test(results["visited"], results["front"])
    points = Points.of_rows(rows, front, variant.area_mm2, reading.experiment.objectives)
    details = {}
    for i in _evenly(len(results["front"])):
        row = {**results["front"][i], "solution": f"{i:03d}"}
        path = reading.folder / "solutions" / f"{row['solution']}.yaml"
        trace = load_trace(path)
        if trace.digest != reading.trace_of(row, steps).digest:
            raise InputError(
                f"{path}: not the trace that {reading.experiment.model} has at these bits: its digest differs"
            )
        reproduce = (*errors(row), *commands.cost_of_trace(str(path), 0))
        details[i] = Detail(row, trace, _simulate(reading, row, trace, variant.arch), reproduce)
    baselines = []
    for baseline in results["baselines"]:
        width = next(iter(reading.bits_of(baseline).values()))[0]
        row = baseline | {"area_mm2": variant.area_mm2, "solution": f"{width}-bit"}
        reproduce = (*errors(row), *commands.cost_of(row["bits"], 0, f"{row['solution']}.yaml"))
        trace = reading.trace_of(row, steps)
        baselines.append(Detail(row, trace, _simulate(reading, row, trace, variant.arch), reproduce))
    return _reported(reading, points, details, tuple(baselines))


def _sweep(reading: Reading) -> ReportedRun:
    rows, commands = reading.results["front"], reading.commands
    path = reading.folder / POINTS_FILE
    variants = len(reading.hardware)
    try:
        arrays = read_arrays(path, points_arrays(reading.experiment.objectives), MOST_BYTES)
        _check_points(path, arrays, variants)
    except InputError as error:
        rule = "it does not hold the sweep's points as this version of mohaq writes them"
        raise InputError(f"{path}: {rule}; {_again(reading.folder)} writes them anew ({error})") from None
    if variants != reading.results["variants"]:
        raise InputError(f"{reading.folder}: {variants} variants: its results tell of {reading.results['variants']}")
    points = Points.of_arrays(arrays, reading.experiment.objectives)
    named = [(int(points.variant[i]), points.bits[points.candidate[i]]) for i in points.front]
    if len(points) != reading.results["points"] or named != [(row["variant"], row["bits"]) for row in rows]:
        raise InputError(f"{path}: not the points that {reading.folder / CODESIGN.results_file} tells of")
    reading.check(points.bits)
    details = {}
    for i in _evenly(len(rows)):
        row = {**rows[i], "solution": f"{i:03d}"}
        file = f"{reading.label}-{row['solution']}.yaml".replace("/", "-")
        errors = [] if row["error"] is None else commands.error_of(row["bits"])
        trace = reading.trace_of(row, reading.experiment.steps)
        report = _simulate(reading, row, trace, reading.hardware.variants[row["variant"]].arch)
        details[i] = Detail(row, trace, report, (*errors, *commands.cost_of(row["bits"], row["variant"], file)))
    return _reported(reading, points, details, ())


def _check_points(path: Path, arrays: Mapping[str, Ints | Floats], variants: int) -> None:
    """Raise InputError for points of variants, candidates or fronts that there are not, and for values that are no
    numbers."""
    for name, count in (
        ("variant", variants), ("candidate", len(arrays["candidates"])), ("front", len(arrays["variant"])),
    ):  # fmt: skip
        positions = arrays[name]
        if len(positions) and not 0 <= positions.min() <= positions.max() < count:
            raise InputError(f"{path}: array {name}: positions beyond the {count} that there are")
    if (np.diff(arrays["variant"].astype(np.int64)) < 0).any():
        raise InputError(f"{path}: array variant: points are sorted by it")
    for name, values in arrays.items():
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise InputError(f"{path}: array {name}: values that are not finite")


def _reported(
    reading: Reading, points: Points, details: Mapping[int, Detail], baselines: tuple[Detail, ...]
) -> ReportedRun:
    unknown = points.feasible & ~points.known(reading.experiment.resolved_objectives)
    if unknown.any():
        bits = points.bits[points.candidate[np.argmax(unknown)]]
        raise InputError(f"{reading.folder}: {bits}: within all limits, and without a value of an objective")
    return ReportedRun(
        reading.label, reading.folder, reading.experiment, reading.hardware, reading.results["error_limit"], points,
        details, baselines, reading.commands, BudgetLimits.of_stored(reading.results.get("budget", [])),
        _best(reading), luck_line(reading.results),
        retraining_line(reading.results.get("retraining")),
    )  # fmt: skip


def _best(reading: Reading) -> BestPolicy | None:
    known = [row for row in reading.results["front"] if row["error"] is not None]
    if reading.stored.is_codesign or not known:
        return None
    row = min(known, key=lambda row: (row["error"], row["latency_ms"]))
    trace = reading.trace_of(row, reading.experiment.steps)
    return BestPolicy(reading.model.digest, row["error"], row["bits"], trace)


def _evenly(count: int) -> Iterator[int]:
    taken = min(count, MOST_DETAILS)
    return (i * count // taken for i in range(taken))


def _check_digests(folder: Path, experiment: Experiment, hardware: Hardware, model: Model) -> None:
    document = read_document(folder / "run.yaml")
    recorded = document.data.get("digests") if isinstance(document.data, dict) else None
    if not isinstance(recorded, dict):
        raise document.error(("digests",), "missing: this is no record of a run")
    parts = {"model": (experiment.model, model.digest)}
    if experiment.hardware:
        parts["hardware"] = f"{len(hardware)} variants", digest_of_hardware(hardware)
    else:
        parts["arch"] = " ".join([experiment.arch, *experiment.set]), hardware.variants[0].arch.digest
    for part, (name, digest) in parts.items():
        if recorded.get(part) != digest:
            raise InputError(
                f"{folder / 'run.yaml'}: digests.{part}: {name} is not what was searched: its digest is "
                f"{digest[:12]}…, the run's {str(recorded.get(part))[:12]}…"
            )


def _simulate(reading: Reading, row: dict[str, Any], trace: Trace, arch: Arch) -> Report:
    folder, report = reading.folder, simulate(trace, arch)
    if of_utterances(row):  # and the trace is of one
        return report
    for figure, now, then in (("cycles", report.cycles, row["cycles"]), ("µJ", report.energy_uj, row["energy_uj"])):
        if not isclose(now, then, rel_tol=1e-9):
            raise InputError(
                f"{folder}: solution {row['solution']} takes {now:,} {figure} now, {then:,} when it was searched: the "
                "simulators have changed since"
            )
    return report
