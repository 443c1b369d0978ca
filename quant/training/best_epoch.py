"""The epoch of a retraining that is kept: the one that errs least, the start included.

An epoch counts if neither its error nor that of its worst part, which a search minimises, is above the start's. Of
those the least error of the worst part is kept, then the least error of all, then the earliest; where none counts, the
start. So what is kept never errs more than what the retraining began with.

The state of a run holds what was best so far, so that one that was killed and resumed keeps the same: parameters as
`best.NAME`, and under `best` of what is said of them the epoch and both errors, the start's too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from quant.files.tensor_files import Tensors
from simulators.inputs.errors import InputError

KEY = "best"
"""What a state calls it."""


class Errs(Protocol):
    """What an evaluation finds."""

    @property
    def error_max(self) -> float:
        """Percent, the largest over the parts of the data."""
        ...

    @property
    def error(self) -> float:
        """Percent over all data."""
        ...


@dataclass(frozen=True)
class Retrained:
    """What a retraining came to."""

    path: Path
    """The file of its parameters."""
    before: float
    """Error in percent of the candidate with the parameters that it began with."""
    after: float
    """Error in percent with those that were kept."""
    epoch: int
    """The epoch that was kept, from 1; 0: the start."""
    epochs: int
    """How many there were."""

    @property
    def notes(self) -> tuple[str, ...]:
        """A line on the epoch that was kept, where it is not the last one."""
        if self.epoch == self.epochs:
            return ()
        if self.epoch:
            return (f"epoch {self.epoch} of {self.epochs} erred least and is kept",)
        found = "the one epoch errs more" if self.epochs == 1 else f"none of {self.epochs} epochs errs less"
        return (f"retraining did not help: {found} than the network that it began with, which is kept",)


class BestEpoch:
    """The best of a retraining's epochs, as far as it came. Errors of the start and of parameters are evaluated by what
    is given."""

    def __init__(self, of_start: Callable[[], Errs], of_parameters: Callable[[Tensors], Errs]):
        self._of_start = of_start
        self._of_parameters = of_parameters
        self._before = (0.0, 0.0)
        self._after = (0.0, 0.0)
        self.epoch = 0
        """The best one so far, from 1; 0: the start."""
        self.parameters: Tensors = {}
        """Its parameters; none of the start."""

    def begin(self) -> None:
        """Evaluate the start of a run that does not go on from a state."""
        self._before = self._after = _pair(self._of_start())

    def end_epoch(self, epoch: int, parameters: Mapping[str, torch.Tensor]) -> None:
        """Keep an epoch's parameters if they err least; epochs are counted from 1."""
        now = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        found = _pair(self._of_parameters(now))
        if found < self._after and found[1] <= self._before[1]:
            self._after, self.epoch, self.parameters = found, epoch, now

    def tensors(self) -> Tensors:
        """The best parameters, as a state has them."""
        return {f"{KEY}.{name}": parameter for name, parameter in self.parameters.items()}

    def described(self) -> dict[str, Any]:
        """What a state says of them."""
        return {KEY: {"epoch": self.epoch, "before": [*self._before], "after": [*self._after]}}

    def shapes(self, parameters: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The shapes of a state's tensors of the best epoch, of those of the parameters."""
        return {f"{KEY}.{name}": shape for name, shape in parameters.items()} if self.epoch else {}

    def restore(self, path: Path, stored: dict[str, Any]) -> None:
        """Take out of a state's description what it says of the best epoch. Raises InputError where it says nothing of
        it, as one that was written before epochs were compared."""
        found = stored.pop(KEY, None)
        try:
            self.epoch, before, after = found["epoch"], found["before"], found["after"]
            self._before, self._after = (float(before[0]), float(before[1])), (float(after[0]), float(after[1]))
        except (TypeError, KeyError, IndexError, ValueError):
            raise InputError(f"{path}: it does not say which epoch was best: another folder starts a new run") from None
        if type(self.epoch) is not int or not 0 <= self.epoch <= stored.get("epochs_done", 0):
            raise InputError(f"{path}: best epoch {self.epoch!r}: not one of those that are done")

    def restore_parameters(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take the parameters out of a state's tensors, which were checked."""
        start = f"{KEY}."
        self.parameters = {name.removeprefix(start): x for name, x in tensors.items() if name.startswith(start)}

    def result(self, path: Path, epochs: int) -> Retrained:
        """What the retraining came to, in a file."""
        return Retrained(path, self._before[1], self._after[1], self.epoch, epochs)


def _pair(found: Errs) -> tuple[float, float]:
    return float(found.error_max), float(found.error)
