"""Offspring of a search together, with what the generations before left in the cache, against evaluations one by one.

    python benchmarks/population.py [MODEL] [--every N] [--generations G] [--methods METHOD …]

A search of each method runs on every Nth utterance of dev (4th by default) and tells what it evaluates: the groups of
its generations, in their order. They are evaluated again and timed, in the search's groups with as much less room for
what is kept as there is less data, in these groups with nothing kept, and one by one. Ends with one line of JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quant import Recogniser, load_model
from quant.evaluation.prefix_cache import PrefixCache
from quant.sites.candidate import Bits
from search import Experiment, run

Group = Sequence[Bits]


class Recording:
    """A model that notes what it is asked."""

    def __init__(self, model: Recogniser, generations: list[list[Group]]):
        self.model, self.generations = model, generations

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def evaluate_population(self, candidates: Group) -> Any:
        self.generations[-1].append(candidates)
        return self.model.evaluate_population(candidates)


class Ends:
    """A display that notes where a generation ends."""

    def __init__(self, generations: list[list[Group]]):
        self.generations = generations

    def started(self, candidates: int) -> None: ...
    def evaluated(self, bits: Bits, quality: Any) -> None: ...
    def set_aside(self, bits: Bits) -> None: ...

    def generation(self, number: int, of: int, candidates: int, front: int) -> None:
        self.generations.append([])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="sru")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--generations", type=int, default=15, choices=range(1, 1000), metavar="G")
    parser.add_argument("--methods", nargs="+", default=["surrogate", "nsga2"], metavar="METHOD")
    arguments = parser.parse_args()
    alone = load_model(arguments.model, every=arguments.every)
    figures = {}
    for method in arguments.methods:
        first, *generations = asked_by(alone, method, arguments)
        kept = sharing(alone, PrefixCache().capacity_bytes // arguments.every)
        seconds_of(kept, first)
        seconds = dict.fromkeys(("singly", "together", "kept"), 0.0)
        for groups in generations:
            singly = [[bits] for group in groups for bits in group]
            seconds["kept"] += seconds_of(kept, groups)
            seconds["together"] += seconds_of(alone, groups, forgetful=True)
            seconds["singly"] += seconds_of(alone, singly, forgetful=True)
        count = sum(len(group) for groups in generations for group in groups)
        ratio = {way: seconds["singly"] / of_way for way, of_way in seconds.items()}
        figures[method] = {"candidates": count, "seconds": seconds, "ratio": ratio}
        print(
            f"{method}, {count} offspring in {len(generations)} generations: {seconds['singly']:.1f} s one by one, "
            f"{seconds['together']:.1f} s together ({ratio['together']:.2f} times as fast), "
            f"{seconds['kept']:.1f} s with what the generations before left in the cache ({ratio['kept']:.2f} times)"
        )
    print(json.dumps({"methods": figures, "cache_gib": PrefixCache().capacity_bytes / 2**30}))


def asked_by(model: Recogniser, method: str, arguments: argparse.Namespace) -> list[list[Group]]:
    """The groups that a search evaluates: those of the initial population and the baselines, then by generation."""
    asked: list[list[Group]] = [[]]
    experiment = Experiment(
        name="population", model=arguments.model, every=arguments.every, method=method,
        generations=arguments.generations,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run(experiment, Path(folder) / "run", model=Recording(model, asked), progress=Ends(asked))
    return [groups for groups in asked if groups]


def sharing(model: Recogniser, room_bytes: int) -> Recogniser:
    """Another with the same data, which keeps results in so much room."""
    return model.sharing_speech(model.checkpoint, model.weights, room_bytes)


def seconds_of(model: Recogniser, groups: Sequence[Group], forgetful: bool = False) -> float:
    """To evaluate them; with nothing left of one for the next, if `forgetful`."""
    seconds = 0.0
    for group in groups:
        if forgetful:
            model.forget()
        started = time.perf_counter()
        model.evaluate_population(group)
        seconds += time.perf_counter() - started
    return seconds


if __name__ == "__main__":
    main()
