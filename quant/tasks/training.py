"""Training of a task's GRU: one thread, its state stored after every epoch, resumable.

A run is a function of task, data, sizes and seed: batches of an epoch are drawn from (seed, epoch), so a run that was
killed and resumed passes through the same states as one that was not.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from quant.files.tensor_files import check_tensors, read_tensors, tensors_as_bytes
from quant.own.gru_classifier import GruClassifier, GruParameters, new_classifier, optimiser_of, train_epoch
from quant.own.operator_gru import ranges_of
from quant.tasks.card import card
from quant.tasks.real_tasks import task_named
from quant.tasks.task import Standardisation, TaskData
from quant.tasks.task_gru import TaskGru, checkpoint_bytes
from quant.training.run_state import moments_of, restore_moments, shapes_of_moments, state_file
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.inputs.json_files import parse_json
from simulators.inputs.source_locations import shown

MOST_CELLS = 1024

OnEpoch = Callable[[int, int, float], None]
"""Is told an epoch from 1, how many there are, and its loss in nats."""


@dataclass(frozen=True)
class TaskRecipe:
    """Everything that a training depends on besides its data. Raises InputError for what cannot be."""

    task: str
    """Name of the task."""
    cells: int
    """Cells of the GRU."""
    epochs: int
    """Passes over the training part."""
    seed: int = 1
    """Decides the first weights and the batches."""

    @classmethod
    def of(cls, task: str, cells: int | None = None, epochs: int | None = None, seed: int = 1) -> "TaskRecipe":
        """A task's own sizes, unless others are given."""
        chosen = task_named(task)
        return cls(task, chosen.cells if cells is None else cells, chosen.epochs if epochs is None else epochs, seed)

    def __post_init__(self) -> None:
        for name, most in (("cells", MOST_CELLS), ("epochs", 100_000)):
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"training of {self.task}: {name} is {getattr(self, name)}: it must be 1 to {most}")
        if not 0 <= self.seed < 1 << 32:
            raise InputError(f"training of {self.task}: seed is {self.seed}: it must lie between 0 and 2^32 - 1")


def train_task(
    recipe: TaskRecipe,
    folder: Path,
    root: Path | None = None,
    *,
    name: str = "model",
    resume: bool = False,
    on_epoch: OnEpoch | None = None,
) -> Path:
    """Train, take the operators' ranges from the training part, and write `NAME.safetensors` with its card `NAME.md`
    to `folder`. Returns the checkpoint's path. Raises InputError for data that are not there, and for a folder that
    holds a run unless `resume`."""
    data = task_named(recipe.task).load(root)
    standard = Standardisation.of(data.train)
    make_folder(folder)
    state = state_file(folder, resume)
    with one_thread():
        model = _trained(recipe, data, standard, state, on_epoch)
    model.requires_grad_(False)
    parameters = GruParameters.of(model)
    ranges = ranges_of(parameters, standard(data.train))
    record = {**asdict(recipe), "data": data.digest, "mohaq": version("mohaq")}
    path = folder / f"{name}.safetensors"
    write_whole(path, checkpoint_bytes(model, standard, ranges, record))
    write_whole(folder / f"{name}.md", card(TaskGru.load(path, root)).encode())
    return path


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread: small products gain nothing by more, and sums do not depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _trained(
    recipe: TaskRecipe, data: TaskData, standard: Standardisation, state: Path, on_epoch: OnEpoch | None
) -> GruClassifier:
    train = standard(data.train)
    model = new_classifier(train, recipe.cells, recipe.seed)
    optimiser = optimiser_of(model)
    identity = {"recipe": asdict(recipe), "data": data.digest}
    first = _restored(state, model, optimiser, identity) if state.exists() else 0
    for epoch in range(first, recipe.epochs):
        loss = train_epoch(model, optimiser, train, recipe.seed, epoch, recipe.epochs)
        if not loss < float("inf"):
            raise InputError(f"training of {recipe.task} diverged in epoch {epoch + 1}: the loss is {loss}")
        write_whole(state, _state(model, optimiser, {**identity, "epochs_done": epoch + 1}), durable=False)
        if on_epoch:
            on_epoch(epoch + 1, recipe.epochs, loss)
    return model


def _state(model: GruClassifier, optimiser: torch.optim.Optimizer, described: dict[str, Any]) -> bytes:
    return tensors_as_bytes(dict(model.state_dict()) | moments_of(optimiser, model.named_parameters()), described)


def _restored(path: Path, model: GruClassifier, optimiser: torch.optim.Optimizer, identity: dict[str, Any]) -> int:
    """Take parameters and moments from a state; how many epochs are done. Raises InputError where it is that of another
    run, or none."""
    file = read_tensors(path)
    stored = parse_json(file.described, str(path))
    if not isinstance(stored, dict) or stored.keys() != {"recipe", "data", "epochs_done"}:
        raise InputError(f"{path}: not the state of a task's training as mohaq writes it")
    wanted = json.loads(json.dumps(identity))
    different = [key for key in wanted if stored[key] != wanted[key]]
    if different:
        raise InputError(f"{path}: the run to resume has another {' and other '.join(different)}")
    done, epochs = stored["epochs_done"], identity["recipe"]["epochs"]
    if type(done) is not int or not 1 <= done <= epochs:
        raise InputError(f"{path}: epochs_done: {shown(done)}: expected 1 to {epochs}")
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    check_tensors(path, file.tensors, shapes | shapes_of_moments(model.named_parameters()))
    model.load_state_dict({name: file.tensors[name] for name in shapes})
    restore_moments(optimiser, model.named_parameters(), file.tensors)
    return done
