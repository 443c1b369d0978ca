"""A search whose genes hold the hardware as well as the bits: NSGA-II over both at once.

The hardware's genes are positions: of the block where there are several, then of each block's architecture, entry of
its list, and value of each key of its grid. A pair of bits that the chosen hardware does not offer becomes the next
wider one that it does, so that every individual can be run. As in `search.runs.driver`, to resume is to run again from
the seed with all finished evaluations in the ledger. """

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pymoo.core.problem import Problem

from quant.sites.candidate import name_of
from search.codesign.design_points import OVER_ERROR, OVER_MEMORY, SET_ASIDE, CoDesign, kind_of
from search.codesign.sweep import error_limit, genome_of, hardware_of, identity_of, needs_error
from search.codesign.sweep_outputs import write_sweep
from search.evaluation.evaluator import Cost, Evaluator
from search.evaluation.executors.executor import Executor, Inline
from search.evaluation.executors.worker import Source
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.methods.pymoo_methods import method_of
from search.runs.driver import Progress, reporter
from search.runs.generations import generations
from search.runs.problem import NOT_EVALUATED
from search.runs.run_folder import CODESIGN_STATE_FILE, RunFolder
from search.settings.experiment import Experiment, ExperimentModel
from search.settings.experiment_source import located
from search.space.genome import Bits, Genome
from search.space.hardware_variants import Hardware, Variant
from simulators.inputs.errors import InputError
from simulators.inputs.files import with_folder
from simulators.inputs.source_locations import KeyedError


@dataclass(frozen=True)
class CoGenome:
    """Gene vectors of (variant, candidate): the bits' genes first."""

    bits: Genome
    hardware: Hardware

    @property
    def upper(self) -> np.ndarray:
        """Largest value of each gene; the smallest is 0."""
        of_hardware = [len(self.hardware.blocks) - 1] if len(self.hardware.blocks) > 1 else []
        for block in self.hardware.blocks:
            of_hardware += [n - 1 for n in block.lengths()]
        return np.concatenate([self.bits.upper, np.array(of_hardware, np.int64)])

    def decode(self, genes: np.ndarray) -> tuple[Variant, Bits]:
        """The variant, and the candidate in bits that it offers."""
        count = len(self.bits.upper)
        rest = [int(g) for g in genes[count:]]
        chosen = rest.pop(0) if len(self.hardware.blocks) > 1 else 0
        for block in self.hardware.blocks[:chosen]:
            del rest[: len(block.lengths())]
        variant = self.hardware.at(chosen, tuple(rest[: len(self.hardware.blocks[chosen].lengths())]))
        return variant, fitted(self.bits.decode(genes[:count]), variant.arch.precisions)


def fitted(bits: Bits, precisions: tuple[tuple[int, int], ...]) -> Bits:
    """A candidate in pairs that are offered: the narrowest that is at least as wide in both, else the widest."""
    widest = max(precisions, key=lambda p: (p[0] + p[1], p))

    def pair(w: int, a: int) -> tuple[int, int]:
        if (w, a) in precisions:
            return w, a
        return min((p for p in precisions if p[0] >= w and p[1] >= a), key=lambda p: (p[0] + p[1], p), default=widest)

    return {site: pair(w, a) for site, (w, a) in bits.items()}


class CoDesignProblem(Problem):
    """Minimises the experiment's objectives over variants and candidates; constraint values above 0 violate."""

    def __init__(self, experiment: Experiment, genome: CoGenome, evaluators: Mapping[int, Evaluator],
                 shared: Evaluator, limit: float | None, progress: Progress | None):  # fmt: skip
        self.experiment, self.genome, self.evaluators, self.shared = experiment, genome, evaluators, shared
        self.limit, self.progress = limit, progress
        self.costs: dict[tuple[int, str], Cost | str] = {}
        """(variant, candidate) → cost, or why the variant cannot run it."""
        upper = genome.upper
        super().__init__(
            n_var=len(upper), n_obj=len(experiment.objectives), n_ieq_constr=3, xl=np.zeros_like(upper), xu=upper,
            vtype=int,
        )  # fmt: skip

    def cost(self, variant: Variant, bits: Bits) -> Cost | str:
        """What a candidate costs on a variant, or why that cannot run it."""
        key = variant.number, name_of(bits)
        if key not in self.costs:
            try:
                self.costs[key] = self.evaluators[variant.number].cost(bits)
            except InputError as error:
                self.costs[key] = str(error)
        return self.costs[key]

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
        individuals = [self.genome.decode(row) for row in x]
        costs = [self.cost(variant, bits) for variant, bits in individuals]
        memory = self.experiment.constraints.memory_mib
        bounds = []
        for cost in costs:
            if isinstance(cost, str):
                bounds.append([1.0, 0.0, 0.0])
            else:
                bounds.append([0.0, 0.0 if memory is None else cost.memory_mib - memory, 0.0])
        wanted = [bits for (_, bits), bound in zip(individuals, bounds, strict=True) if max(bound) <= 0]
        if needs_error(self.experiment):
            self.shared.qualities(wanted, reporter(self.progress))
        values: list[list[float | None]] = []
        for (variant, bits), cost, bound in zip(individuals, costs, bounds, strict=True):
            quality = self.shared.known_quality(bits)
            if max(bound) > 0 or isinstance(cost, str):
                values.append([NOT_EVALUATED for _ in self.experiment.objectives])
                continue
            if self.limit is not None and quality is not None:
                bound[2] = quality.error - self.limit
            elif self.shared.was_set_aside(bits):
                bound[0] = 1.0
            of: dict[str, float | None] = {
                "error": NOT_EVALUATED if quality is None else quality.error,
                "latency": cost.latency_ms,
                "energy": cost.energy_uj,
                "memory": cost.memory_mib,
                "area": variant.area_mm2,
            }
            values.append([of[name] for name in self.experiment.objectives])
        out["F"], out["G"] = np.array(values, float), np.array(bounds)


@located
def search_hardware(
    experiment: Experiment, folder: Path, resume: bool = False, progress: Progress | None = None, model: Any = None,
    executor: Executor | None = None,
) -> CoDesign:  # fmt: skip
    """Search variants and bits together; results in `folder`, as of a sweep. Raises InputError as `search.run` does."""
    if experiment.candidates is not None:
        raise KeyedError(("candidates",), "they are a sweep's (mohaq sweep); a search finds its own")
    if experiment.method == "surrogate":  # a learnt error knows bits, not hardware
        experiment = experiment.model_copy(update={"method": "nsga2"})
    hardware = hardware_of(experiment)
    factory = ExperimentModel.of(experiment) if model is None else None
    model = factory() if factory else model
    genome = CoGenome(genome_of(experiment, hardware, model), hardware)
    with with_folder(folder):
        identity = identity_of(experiment, hardware, model)
    with (
        RunFolder(folder, identity, resume, CODESIGN_STATE_FILE) as state,
        closing(Ledger(folder / LEDGER_FILE)) as ledger,
    ):
        executor = executor or Inline()
        if state.is_new:
            ledger.forget_set_aside()
        surroundings = experiment.steps, ledger, executor, Source.of(model, factory)
        evaluators = {v.number: Evaluator(model, v.arch, *surroundings) for v in hardware}
        shared = evaluators[0]
        if progress:
            progress.started(experiment.population + experiment.offspring * experiment.generations)
        limit = error_limit(experiment, shared) if needs_error(experiment) else None
        problem = CoDesignProblem(experiment, genome, evaluators, shared, limit, progress)
        looked_at = _search(experiment, genome, problem, state, progress)
        result = _result(experiment, folder, hardware, problem, looked_at)
        write_sweep(result, identity, "search")
    return result


def _search(
    experiment: Experiment, genome: CoGenome, problem: CoDesignProblem, state: RunFolder, progress: Progress | None
) -> list[tuple[Variant, Bits]]:
    """Everything that the search looked at, each once, in the order of its appearance."""
    algorithm = method_of(experiment, problem, _initial(experiment, genome))
    seen: dict[tuple[int, str], tuple[Variant, Bits]] = {}
    for number, asked in generations(algorithm, problem, state):
        for individual in asked:
            variant, bits = genome.decode(individual.X)
            seen.setdefault((variant.number, name_of(bits)), (variant, bits))
        if progress:
            progress.generation(number, experiment.generations, len(seen), len(algorithm.opt))
    return list(seen.values())


def _initial(experiment: Experiment, genome: CoGenome) -> np.ndarray:
    """Distinct random gene vectors; the first have one width for everything, where asked for, on random hardware."""
    generator = np.random.default_rng(experiment.seed)
    rows: dict[bytes, np.ndarray] = {}
    upper, count = genome.upper, len(genome.bits.upper)
    starts = list(genome.bits.homogeneous().values()) if experiment.seed_homogeneous else []
    possible = float(np.prod(upper + 1.0))
    while len(rows) < min(experiment.population, possible):
        row = generator.integers(0, upper + 1)
        if starts:
            row[:count] = genome.bits.encode(starts.pop(0))
        rows[row.tobytes()] = row
    return np.array(list(rows.values())[: experiment.population])


def _result(
    experiment: Experiment, folder: Path, hardware: Hardware, problem: CoDesignProblem,
    looked_at: list[tuple[Variant, Bits]],
) -> CoDesign:  # fmt: skip
    shared, memory = problem.shared, experiment.constraints.memory_mib
    left_out: dict[int, dict[str, int]] = {}
    candidates: dict[str, tuple[int, Bits]] = {}
    points: list[tuple[int, int, int, float]] = []
    sizes: list[float] = []
    for variant, bits in looked_at:
        cost, quality = problem.cost(variant, bits), shared.known_quality(bits)
        reason = None
        if isinstance(cost, str):
            reason = kind_of(cost)
        elif memory is not None and cost.memory_mib > memory:
            reason = OVER_MEMORY
        elif shared.was_set_aside(bits):
            reason = SET_ASIDE
        elif problem.limit is not None and quality is not None and quality.error > problem.limit:
            reason = OVER_ERROR
        if reason is not None or isinstance(cost, str):
            of_variant = left_out.setdefault(variant.number, {})
            of_variant[str(reason)] = of_variant.get(str(reason), 0) + 1
            continue
        number, _ = candidates.setdefault(name_of(bits), (len(candidates), bits))
        if number == len(sizes):
            sizes.append(cost.memory_mib)
        points.append((variant.number, number, cost.cycles, cost.energy_uj))
    if not points:
        raise KeyedError(("constraints",), "nothing that the search looked at is within these limits")
    points.sort(key=lambda point: point[:2])
    variants, numbers, cycles, energies = zip(*points, strict=True)
    return CoDesign(
        experiment=experiment,
        folder=folder,
        hardware=hardware,
        candidates=tuple(bits for _, bits in candidates.values()),
        qualities=tuple(shared.known_quality(bits) for _, bits in candidates.values()),
        memory_mib=np.array(sizes),
        error_limit=problem.limit,
        variant=np.array(variants, np.int64),
        candidate=np.array(numbers, np.int64),
        cycles=np.array(cycles, np.int64),
        energy_uj=np.array(energies),
        left_out=left_out,
        evaluated=shared.evaluated,
        model=shared.model,
    )
