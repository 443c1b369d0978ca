"""A stand-in model for searches whose processes are killed, and a search with it: `python slow_stand_in.py FOLDER …`.

It takes time, notes every evaluation that it begins, can be retrained, and may kill the process that evaluates a
certain candidate.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stand_in import StandInError, StandInModel

from quant.sites.candidate import name_of
from search import Experiment, run
from search.evaluation.beacons import distance
from simulators import Arch, InputError

BITS = Mapping[str, tuple[int, int]]


@dataclass
class SlowModel(StandInModel):
    """`notes` is a file, `deadly` a candidate."""

    notes: str = ""
    seconds: float = 0.0
    deadly: str = ""
    bad: str = ""
    retraining_seconds: float = 0.0
    trained_for: BITS | None = None

    def evaluate(self, bits: BITS) -> StandInError:
        if self.notes:
            with open(self.notes, "a") as file:
                file.write(f"{time.monotonic()} {os.getpid()} {self.digest} {name_of(bits)}\n")
        time.sleep(self.seconds)
        if name_of(bits) == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if name_of(bits) == self.bad:
            raise InputError("this candidate is bad")
        found = super().evaluate(bits)
        if self.trained_for is None:
            return found
        factor = min(1.2, 0.5 + 0.08 * distance(dict(bits), dict(self.trained_for)))
        return StandInError(16 + (found.error_max - 16) * factor, 15 + (found.error - 15) * factor)

    def retrained(self, bits: BITS, folder: Path, *, epochs: int, learning_rate: float, on_step: Any = None) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "done").is_file():
            (folder / "begun").touch()
            time.sleep(self.retraining_seconds)
            (folder / ".done").write_text(name_of(bits))
            (folder / ".done").rename(folder / "done")
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> Any:
        name = (folder / "done").read_text()
        bits = {part.split("=")[0]: tuple(map(int, part.split("=")[1].split("x"))) for part in name.split(",")}
        return replace(self, digest=f"beacon {name}", trained_for=bits, evaluations=[])


@dataclass
class UnsendableModel(SlowModel):
    """Cannot be pickled; `Factory` makes one like it elsewhere."""

    def __getstate__(self) -> Any:
        raise TypeError("cannot pickle this")


@dataclass(frozen=True)
class Factory:
    """Makes a model of these settings, in any process."""

    settings: tuple[tuple[str, Any], ...] = ()

    def __call__(self) -> SlowModel:
        return SlowModel(**dict(self.settings))


@dataclass(frozen=True)
class SlowOnEach:
    """Work on an architecture that takes this long, but on some by their names, and gives its name."""

    seconds: float
    but: Mapping[str, float] = field(default_factory=dict)

    def on(self, arch: Arch) -> str:
        time.sleep(self.but.get(arch.name, self.seconds))
        return arch.name


@dataclass(frozen=True)
class Deadly:
    """Kills the process that makes the model, and leaves a file of its number."""

    folder: Path

    def __call__(self) -> SlowModel:
        (self.folder / str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
        return SlowModel()


def experiment(beacons: bool = True, **changes: Any) -> Experiment:
    values: dict[str, Any] = {
        "name": "s", "method": "nsga2", "population": 8, "offspring": 6, "generations": 8, "seed": 2, "steps": 5,
    }  # fmt: skip
    if beacons:
        values["beacons"] = {"threshold": 2.0, "above": 1.0, "below": 14.0, "most": 3}
    return Experiment.model_validate({**values, "constraints": {}, **changes})


def main(folder: str, notes: str, seconds: str, retraining_seconds: str, kind: str, of: str, method: str = "") -> None:
    """`kind` is inline, workers, dask or scheduler. The search has beacons, unless another method is named."""
    from search.evaluation.executors.cluster import Dask
    from search.evaluation.executors.executor import Inline
    from search.evaluation.executors.pool import Pool

    settings = {"notes": notes, "seconds": float(seconds), "retraining_seconds": float(retraining_seconds)}
    factory = Factory(tuple(settings.items()))
    kinds: dict[str, Any] = {
        "inline": Inline, "workers": lambda: Pool(int(of)), "dask": lambda: Dask(int(of)),
        "scheduler": lambda: Dask(scheduler=of),
    }  # fmt: skip
    with kinds[kind]() as executor:
        searched = experiment(False, method=method, generations=14) if method else experiment(generations=14)
        run(searched, Path(folder), resume=True, model=factory(), factory=factory, executor=executor)


def notes_of(path: Path) -> Sequence[tuple[float, int, str]]:
    """Of the evaluations that began: when, in which process, and model and candidate."""
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()] if path.exists() else []
    return [(float(when), int(pid), what) for when, pid, what in lines]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InputError as error:
        sys.exit(str(error))
