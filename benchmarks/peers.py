"""Other people's optimisers as methods of a search, for comparison: `pip install mohaq[peers]`.

Each is asked for as few points at a time as it likes best. Optuna (Akiba et al. 2019) learns costs as it learns errors;
BoTorch (Balandat et al. 2020) is given the simulated costs as known functions, as the methods of mohaq have them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.methods.fresh import Fresh
from search.methods.method import Method, MethodSettings, Space, Trial
from search.space.genome import Genes

Floats = NDArray[np.float64]


class Optuna:
    """One of Optuna's samplers, asked for one point at a time after the initial population.

    A point that it had asked for before is told to it again at no charge; where it repeats itself, a random one takes
    the place."""

    MOST_REPEATED = 20

    def __init__(self, sampler: Callable[[int], Any]):
        self._sampler = sampler

    def begin(self, space: Space, settings: MethodSettings) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._fresh = space, Fresh(space)
        self._generator = np.random.default_rng(settings.seed)
        self._study = optuna.create_study(
            directions=["minimize"] * len(space.objectives), sampler=self._sampler(settings.seed)
        )
        self._trials: dict[str, Trial] = {}
        self._initial = True

    def ask(self) -> Genes | None:
        if self._initial:
            return self._space.initial
        for _ in range(self.MOST_REPEATED):
            pending = self._study.ask()
            row = np.array(
                [pending.suggest_int(f"g{i}", 0, int(high)) for i, high in enumerate(self._space.upper)], np.int64
            )
            self._pending = pending
            known = self._trials.get(self._space.name_of(row))
            if known is None:
                return row[None, :]
            self._tell(pending, known)
        self._pending = None
        return self._fresh.drawn(1, self._generator)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._fresh.note(np.array([trial.genes for trial in trials]))
        for trial in trials:
            self._trials[trial.name] = trial
            if self._initial or self._pending is None:
                self._study.enqueue_trial({f"g{i}": int(gene) for i, gene in enumerate(trial.genes)})
                self._pending = self._study.ask()
                for i, high in enumerate(self._space.upper):
                    self._pending.suggest_int(f"g{i}", 0, int(high))
            self._tell(self._pending, trial)
        self._initial = False

    def _tell(self, pending: Any, trial: Trial) -> None:
        for i, excess in enumerate(trial.violations.tolist()):
            pending.set_constraint(f"limit {i}", excess)
        self._study.tell(pending, trial.objectives.tolist())


def optuna_tpe() -> Optuna:
    """Tree-structured Parzen estimators over all genes together (Ozaki et al. 2022)."""

    def sampler(seed: int) -> Any:
        import optuna

        return optuna.samplers.TPESampler(seed=seed, multivariate=True)

    return Optuna(sampler)


def optuna_gp() -> Optuna:
    """Gaussian processes with the logarithm of the expected hypervolume improvement."""

    def sampler(seed: int) -> Any:
        import optuna

        return optuna.samplers.GPSampler(seed=seed, deterministic_objective=True)

    return Optuna(sampler)


class Botorch:
    """BoTorch's qLogNEHVI on a Gaussian process of the error and known costs, over a pool of random points and of
    neighbours of the front."""

    POOL, AT_A_TIME, SAMPLES = 600, 5, 64

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self._space, self._seed = space, settings.seed
        self._fresh = Fresh(space)
        self._generator = np.random.default_rng(settings.seed)
        self._trials: dict[str, Trial] = {}

    def ask(self) -> Genes | None:
        return self._space.initial if not self._trials else self._best(self._pool())

    def tell(self, trials: Sequence[Trial]) -> None:
        self._fresh.note(np.array([trial.genes for trial in trials]))
        self._trials |= {trial.name: trial for trial in trials}

    def _known(self) -> list[Trial]:
        return [trial for trial in self._trials.values() if trial.error is not None]

    def _pool(self) -> Genes:
        from search.runs.searched_points import front_of

        front = front_of(self._known())
        drawn = self._generator.integers(0, self._space.upper + 1, (self.POOL, len(self._space.upper)))
        parents = np.array([front[i].genes for i in self._generator.integers(0, len(front), self.POOL)])
        changed = self._generator.random(parents.shape) < 2.0 / parents.shape[1]
        pool = np.concatenate([np.where(changed, drawn, parents), drawn])
        return pool[self._fresh.new(pool)]

    def _best(self, pool: Genes) -> Genes:
        import torch
        from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.deterministic import GenericDeterministicModel
        from botorch.models.model import ModelList
        from botorch.optim import optimize_acqf_discrete
        from botorch.sampling.get_sampler import get_sampler
        from gpytorch.mlls import ExactMarginalLogLikelihood

        torch.manual_seed(self._seed * 1000 + len(self._trials))
        known = self._known()
        upper = torch.as_tensor(self._space.upper, dtype=torch.double)
        genes = np.array([trial.genes for trial in known])
        inputs = torch.as_tensor(genes, dtype=torch.double) / upper
        errors = np.array([trial.error for trial in known])
        mean, deviation = np.log(errors).mean(), np.log(errors).std()
        targets = torch.as_tensor(-(np.log(errors) - mean) / deviation)[:, None]
        process = SingleTaskGP(inputs, targets)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(process.likelihood, process))
        costs = self._negative_costs(np.concatenate([genes, pool]))

        def looked_up(points: Any) -> Any:
            rows = (points * upper).round().long().reshape(-1, len(upper)).tolist()
            found = [costs[tuple(row)] for row in rows]
            return torch.as_tensor(np.array(found)).reshape(*points.shape[:-1], -1)

        model = ModelList(process, GenericDeterministicModel(looked_up, num_outputs=len(self._space.objectives) - 1))
        limit = self._space.error_limit or float(errors.max())
        worst = np.array(list(costs.values())).min(0)
        reference = [-(np.log(limit) - mean) / deviation, *worst.tolist()]
        sampler = get_sampler(model.posterior(inputs[:1]), torch.Size([self.SAMPLES]), seed=self._seed)
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model, reference, inputs, sampler=sampler, prune_baseline=True
        )
        choices = torch.as_tensor(pool, dtype=torch.double) / upper
        chosen, _ = optimize_acqf_discrete(acquisition, q=self.AT_A_TIME, choices=choices, max_batch_size=256)
        picked: Genes = (chosen * upper).round().long().numpy()
        return picked

    def _negative_costs(self, genes: Genes) -> dict[tuple[int, ...], Floats]:
        """Minus the logarithms of all objectives but the first, the error, by genes."""
        objectives, _ = self._space.preview(genes, np.zeros(len(genes)))
        return {tuple(row.tolist()): -np.log(costs[1:]) for row, costs in zip(genes, objectives, strict=True)}


PEERS: dict[str, Callable[[], Method]] = {"optuna-tpe": optuna_tpe, "optuna-gp": optuna_gp, "botorch": Botorch}


def installed() -> dict[str, Callable[[], Method]]:
    """The peers whose packages are here."""
    from importlib.util import find_spec

    return {name: make for name, make in PEERS.items() if find_spec(name.partition("-")[0])}
