"""The epochs of a training that takes seconds or minutes: one thread, its state stored after each of them, resumable.

A training is a function of what its identity says: an epoch's batches are drawn from (seed, epoch), so a run that was
killed and resumed passes through the same states as one that was not.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from quant.files.tensor_files import read_tensors, tensors_as_bytes
from quant.training.best_epoch import BestEpoch
from quant.training.run_state import check_state, moments_of, restore_moments, state_file
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.inputs.json_files import parse_json
from simulators.inputs.source_locations import shown

OnEpoch = Callable[[int, int, float], None]
"""Is told an epoch from 1, how many there are, and its loss in nats."""
MOST_EPOCHS = 100_000


@dataclass(frozen=True)
class Epochs:
    """The epochs of one training."""

    name: str
    """What is trained, for errors: "training of TASK"."""
    count: int
    """How many there are."""
    identity: Mapping[str, Any]
    """What decides the result, as JSON has it; a state of another identity is not continued."""
    state: Path
    """The file of the state."""

    def train(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        epoch: Callable[[int], float],
        on_epoch: OnEpoch | None = None,
        best: BestEpoch | None = None,
    ) -> None:
        """Train a model to the end, from where a state has it. `epoch` is told the number of an epoch from 0, goes
        through it, and returns its mean loss. `best` is told of each. Raises InputError for a state of another
        training, or of none, and for a loss that is not finite."""
        first = self._restored(model, optimiser, best) if self.state.exists() else 0
        if best is not None and not self.state.exists():
            best.begin()
        for number in range(first, self.count):
            loss = epoch(number)
            if not loss < float("inf"):
                raise InputError(f"{self.name} diverged in epoch {number + 1}: the loss is {loss}")
            tensors = dict(model.state_dict()) | moments_of(optimiser, model.named_parameters())
            described = {**self.identity, "epochs_done": number + 1}
            if best is not None:
                best.end_epoch(number + 1, model.state_dict())
                tensors, described = tensors | best.tensors(), described | best.described()
            content = tensors_as_bytes(tensors, described)
            write_whole(self.state, content, durable=False)
            if on_epoch:
                on_epoch(number + 1, self.count, loss)

    def _restored(self, model: nn.Module, optimiser: torch.optim.Optimizer, best: BestEpoch | None) -> int:
        """Take parameters and moments from the state; how many epochs are done."""
        file = read_tensors(self.state)
        stored = parse_json(file.described, str(self.state))
        if best is not None and isinstance(stored, dict):
            best.restore(self.state, stored)
        if not isinstance(stored, dict) or stored.keys() != {*self.identity, "epochs_done"}:
            raise InputError(f"{self.state}: not the state of a {self.name} as mohaq writes it")
        wanted = json.loads(json.dumps(dict(self.identity)))
        if different := [key for key in wanted if stored[key] != wanted[key]]:
            raise InputError(f"{self.state}: the run to resume has another {' and other '.join(different)}")
        done = stored["epochs_done"]
        if type(done) is not int or not 1 <= done <= self.count:
            raise InputError(f"{self.state}: epochs_done: {shown(done)}: expected 1 to {self.count}")
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        of_best = {} if best is None else best.shapes(shapes)
        check_state(self.state, file.tensors, shapes | of_best, [name for name, _ in model.named_parameters()])
        model.load_state_dict({name: file.tensors[name] for name in shapes})
        restore_moments(optimiser, model.named_parameters(), file.tensors)
        if best is not None:
            best.restore_parameters(file.tensors)
        return done


def place_of(folder: Path, name: str, resume: bool) -> tuple[Path, Path]:
    """Where a training writes its network, `NAME.safetensors`, and keeps its state, in a folder that is made. Raises
    InputError for one that holds a run which is not to be resumed, or a network of the name that no run here left."""
    make_folder(folder)
    state, path = state_file(folder, resume), folder / f"{name}.safetensors"
    if path.exists() and not state.exists():
        raise InputError(f"{path}: a network is already here: another folder starts a new one")
    return path, state


def check_length(name: str, epochs: int, seed: int) -> None:
    """Raise InputError for epochs and a seed that a training of a name cannot have."""
    if not 1 <= epochs <= MOST_EPOCHS:
        raise InputError(f"{name}: epochs is {epochs}: it must be 1 to {MOST_EPOCHS}")
    if not 0 <= seed < 1 << 32:
        raise InputError(f"{name}: seed is {seed}: it must lie between 0 and 2^32 - 1")


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread: small products gain nothing by more, and sums do not depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
