"""Models of tasks on the command line, operator-wise GRUs and networks for pictures: their training and retraining, and
those that `--model` names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from mohaq.model_kinds import ModelKind, as_given
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder
from simulators.inputs.terminal import DescriptionColumn, Terminal

if TYPE_CHECKING:
    from quant.images.image_model import ImageModel
    from quant.tasks.epochs import OnEpoch
    from quant.tasks.task_gru import TaskGru

OF_TASKS = frozenset({"--task", "--out", "--root", "--cells", "--epochs", "--seed", "--resume"})
"""The options that training a task's model has."""


def load_task_model(model: str, kind: ModelKind, root: Path | None, clipping: str = "mse") -> "TaskGru | ImageModel":
    """The model of a task, with the task's data. Raises InputError for data that are not there, and as
    `load_image_model`."""
    from quant.files.checkpoint import find_checkpoint
    from quant.tasks.task_gru import TaskGru

    if kind is ModelKind.TASK_GRU:
        return TaskGru.load(find_checkpoint(model), root)
    return load_image_model(model, root, clipping)


def load_image_model(model: str, root: Path | None, clipping: str = "mse") -> "ImageModel":
    """A network for pictures, with the pictures of its task; of `clipping` it has `kmeans`. Raises InputError for
    another one, and for pictures that are not there."""
    from quant.arithmetic.clipping import KMEANS
    from quant.files.checkpoint import find_checkpoint
    from quant.images.codebook_model import load_images

    if clipping not in ("mse", KMEANS):
        raise InputError(f"--clipping {clipping}: a convolutional network for pictures has mse or {KMEANS}")
    return load_images(find_checkpoint(model), root, clipping == KMEANS)


def train_task_model(
    task: str,
    folder: Path,
    root: Path | None,
    cells: int | None,
    epochs: int | None,
    seed: int,
    resume: bool,
    given: Mapping[str, object],
    console: Terminal,
) -> Path:
    """Train a task's model under a bar. Returns the checkpoint's path. Raises InputError for a given option that only
    other models have."""
    from quant.images.image_tasks import IMAGE_TASKS
    from quant.images.image_training import ImageRecipe, train_images
    from quant.tasks.training import TaskRecipe, train_task

    of_images = task in IMAGE_TASKS
    what = "a network for pictures" if of_images else "an operator-wise GRU"
    for option, value in given.items():
        if option not in OF_TASKS:
            raise InputError(f"{as_given(option, value)}: --task {task}: a recogniser has it, {what} has not")
    if of_images and cells is not None:
        raise InputError(f"--cells {cells}: --task {task}: a network for pictures has its sizes")
    recipe = ImageRecipe.of(task, epochs, seed) if of_images else TaskRecipe.of(task, cells, epochs, seed)
    with _epochs_bar(recipe.epochs, console) as on_epoch:
        if isinstance(recipe, ImageRecipe):
            return train_images(recipe, folder, root, resume=resume, on_epoch=on_epoch)
        return train_task(recipe, folder, root, resume=resume, on_epoch=on_epoch)


def retrain_image_model(
    model: "ImageModel", bits: str, folder: Path, epochs: int, learning_rate: float, seed: int, resume: bool,
    console: Terminal,
) -> tuple[str, ...]:  # fmt: skip
    """Retrain a network for pictures under a bar, and say what came of it, a line each."""
    from quant.images.image_retraining import ImageRetraining, retrain_images

    recipe = ImageRetraining(epochs, learning_rate, seed)
    candidate = model.parse_bits(bits)
    make_folder(folder)
    with _epochs_bar(epochs, console) as on_epoch:
        done = retrain_images(model, candidate, folder, recipe, resume=resume, on_epoch=on_epoch)
    rates = f"{done.path}: {done.before:.2f} % of pictures wrong before, {done.after:.2f} % after (dev)"
    return (rates, *done.notes)


@contextmanager
def _epochs_bar(epochs: int, console: Terminal) -> Iterator["OnEpoch"]:
    """What moves a bar with every epoch."""
    columns = (DescriptionColumn(), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("data", total=epochs)

        def on_epoch(epoch: int, of: int, loss: float) -> None:
            progress.update(bar, description=f"epoch {epoch}/{of}, loss {loss:.3f}", completed=epoch)

        yield on_epoch
