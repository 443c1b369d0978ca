"""What a report tells of finished searches: their rows, checked against model and hardware, and simulated again layer
by layer.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from search.beacons import beacon_file
from search.evaluation import Model
from search.experiment import Experiment, ExperimentModel
from search.hardware import experiment_arch, spec_changes
from search.origin import located
from search.outputs import RESULTS_FILE
from search.stored import load_run
from simulators import Arch, Report, Trace, load_trace, simulate
from simulators.documents import read_document
from simulators.errors import InputError

METRICS = {
    "error": "error rate, worst of 4 subsets (%)",
    "error_plain": "error rate, all (%)",
    "latency_ms": "latency of one utterance (ms)",
    "energy_uj": "energy of one utterance (µJ)",
    "memory_mib": "memory of the model (MiB)",
    "mohaq_speedup": "speedup by MOHAQ's closed form",
    "mohaq_energy_uj": "energy of a frame by MOHAQ's closed form (µJ)",
}
"""Figures of a row, and what an axis is called."""

METRIC_OF = {
    "error": "error", "latency": "latency_ms", "energy": "energy_uj", "memory": "memory_mib",
    "mohaq_speedup": "mohaq_speedup", "mohaq_energy": "mohaq_energy_uj",
}  # fmt: skip
"""Objective → the figure of a row."""

MAXIMISED = ("mohaq_speedup",)


@dataclass(frozen=True)
class Detail:
    """A row of the front or a baseline with its simulation."""

    row: dict[str, Any]
    report: Report
    commands: tuple[str, ...]
    """That reproduce its error and its cycles."""


@dataclass(frozen=True)
class ReportedRun:
    """A finished search, its figures checked."""

    label: str
    folder: Path
    experiment: Experiment
    error_limit: float | None
    visited: tuple[dict[str, Any], ...]
    """All distinct candidates in order of evaluation, with `feasible`."""
    front: tuple[Detail, ...]
    baselines: tuple[Detail, ...]
    evaluate_command: str
    """`mohaq evaluate` up to the bits; empty of a model that is no checkpoint, as `trace_command` is."""
    trace_command: str
    simulate_options: str
    """Of `mohaq simulate`, behind the trace."""


def gather(folders: Sequence[Path], models: Mapping[Path, Model] | None = None) -> list[ReportedRun]:
    """Read, check and simulate runs. `models` are those of runs by folder whose model is not a checkpoint's.

    Raises InputError for a folder without a finished run, one given twice, or one whose model, hardware or traces are
    not what they were.
    """
    resolved = [folder.resolve() for folder in folders]
    for i, folder in enumerate(folders):
        if resolved[i] in resolved[:i]:
            raise InputError(f"{folder}: the same run twice")
    short = [folder.name for folder in resolved]
    labels = short if len({*short}) == len(short) else [str(folder) for folder in folders]
    return [_run(folder, label, (models or {}).get(folder)) for folder, label in zip(folders, labels, strict=True)]


@located
def _searched_on(experiment: Experiment, model: Model | None) -> tuple[Arch, Model]:
    arch = experiment_arch(experiment.arch, spec_changes(experiment.set))
    return arch, model or ExperimentModel.of(experiment)()


def _run(folder: Path, label: str, model: Model | None) -> ReportedRun:
    stored = load_run(folder)
    again = f"`mohaq search … --out {folder} --resume`"
    if stored.foreign or (stored.results is not None and "visited" not in stored.results):
        raise InputError(f"{folder}: another version of mohaq wrote its {RESULTS_FILE}; {again} writes it anew")
    if stored.results is None:
        raise InputError(f"{folder}: the search is not finished: {again} continues it")
    results = stored.results
    experiment = Experiment.load(folder / "run.yaml")
    given = model is not None
    arch, model = _searched_on(experiment, model)
    _check_digests(folder, {"model": model.digest, "arch": arch.digest}, experiment)
    evaluated = "" if given else _evaluate_command(experiment)
    traced = (
        "" if given else shlex.join(["mohaq", "trace", "--model", experiment.model, "--steps", str(experiment.steps)])
    )
    simulated = shlex.join(["--arch", experiment.arch, *(x for change in experiment.set for x in ("--set", change))])

    def detail(row: dict[str, Any], trace: Trace, file: str, made: tuple[str, ...]) -> Detail:
        report = _simulate(folder, row, trace, arch)
        with_beacon = evaluate_of(evaluated, folder, experiment, row["beacon"])
        errs = [f"{with_beacon} --bits {row['bits']}"] if evaluated and row["error"] is not None else []
        costs = [*made, f"mohaq simulate {shlex.quote(file)} {simulated}"] if traced or not made else []
        return Detail(row, report, (*errs, *costs))

    front = []
    for row in results["front"]:
        path = folder / "solutions" / f"{row['solution']}.yaml"
        trace = load_trace(path)
        if trace.digest != model.trace(_bits(row), experiment.steps).digest:
            raise InputError(f"{path}: not the trace that {experiment.model} has at these bits: its digest differs")
        front.append(detail(row, trace, str(path), ()))
    baselines = []
    for row in results["baselines"]:
        file = f"{row['solution']}.yaml"
        made = (f"{traced} --bits {row['bits']} --out {file}",)
        baselines.append(detail(row, model.trace(_bits(row), experiment.steps), file, made))
    return ReportedRun(
        label, folder, experiment, results["error_limit"], tuple(results["visited"]), tuple(front), tuple(baselines),
        evaluated, traced, simulated,
    )  # fmt: skip


def evaluate_of(command: str, folder: Path, experiment: Experiment, beacon: str) -> str:
    """An evaluate command of a run, with a beacon's parameters in the model's place if one is named."""
    words = shlex.split(command)
    if words and beacon and experiment.beacons:
        words[words.index("--model") + 1] = str(beacon_file(folder, experiment.beacons, beacon))
    return shlex.join(words)


def _bits(row: dict[str, Any]) -> dict[str, tuple[int, int]]:
    pairs = (part.split("=") for part in row["bits"].split(","))
    return {site: (int(words[0]), int(words[1])) for site, pair in pairs for words in [pair.split("x")]}


def _check_digests(folder: Path, present: dict[str, str], experiment: Experiment) -> None:
    document = read_document(folder / "run.yaml")
    recorded = document.data.get("digests") if isinstance(document.data, dict) else None
    if not isinstance(recorded, dict):
        raise document.error(("digests",), "missing: this is no record of a run")
    names = {"model": experiment.model, "arch": " ".join([experiment.arch, *experiment.set])}
    for part, digest in present.items():
        if recorded.get(part) != digest:
            raise InputError(
                f"{folder / 'run.yaml'}: digests.{part}: {names[part]} is not what was searched: its digest is "
                f"{digest[:12]}…, the run's {str(recorded.get(part))[:12]}…"
            )


def _simulate(folder: Path, row: dict[str, Any], trace: Trace, arch: Arch) -> Report:
    report = simulate(trace, arch)
    for figure, now, then in (("cycles", report.cycles, row["cycles"]), ("µJ", report.energy_uj, row["energy_uj"])):
        if not isclose(now, then, rel_tol=1e-9):
            raise InputError(
                f"{folder}: solution {row['solution']} takes {now:,} {figure} now, {then:,} when it was searched: the "
                "simulators have changed since"
            )
    return report


def _evaluate_command(experiment: Experiment) -> str:
    words = ["mohaq", "evaluate", "--model", experiment.model]
    if experiment.corpus_root is not None:
        from quant.speech.digits import is_digits

        root = Path(experiment.corpus_root)
        words += ["--corpus", "fsdd" if is_digits(root) else "timit", "--root", str(root)]
    clipping = experiment.clipping
    words += ["--clipping", clipping.weights] if clipping.weights != "mse" else []
    words += ["--activation-clipping", clipping.activations] if clipping.activations != "mse" else []
    words += ["--per-channel"] if clipping.per_channel else []
    words += ["--every", str(experiment.every)] if experiment.every > 1 else []
    return shlex.join(words)
