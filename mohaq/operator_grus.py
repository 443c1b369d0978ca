"""Operator-wise GRUs on the command line: training on a task, and those that `--model` names."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from simulators.inputs.errors import InputError
from simulators.inputs.terminal import DescriptionColumn, Terminal

if TYPE_CHECKING:
    from quant.tasks.task_gru import TaskGru


def load_operator_gru(model: str, root: Path | None, others: Mapping[str, bool]) -> "TaskGru | None":
    """The operator-wise GRU that a name is of, with the data of its task; None for another model. `others` says of each
    option that only other models have whether it is given. Raises InputError for such a one, and for data that are not
    there."""
    from quant.files.checkpoint import find_checkpoint

    try:
        path = find_checkpoint(model)
    except InputError:  # a folder, or no model: said where it is read
        return None
    if not path.is_file():
        return None
    from quant.tasks.task_gru import TaskGru, is_operator_gru

    if not is_operator_gru(path):
        return None
    _refuse(others, f"--model {model}: it is the operator-wise GRU of a task, which has none")
    return TaskGru.load(path, root)


def train_operator_gru(
    task: str,
    folder: Path,
    root: Path | None,
    cells: int | None,
    epochs: int | None,
    seed: int,
    resume: bool,
    others: Mapping[str, bool],
    console: Terminal,
) -> Path:
    """Train a task's GRU under a bar. Returns the checkpoint's path. Raises InputError for an option that only
    recognisers have."""
    from quant.tasks.training import TaskRecipe, train_task

    _refuse(others, f"--task {task}: a recogniser has it, an operator-wise GRU has not")
    recipe = TaskRecipe.of(task, cells, epochs, seed)
    columns = (DescriptionColumn(), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("data", total=recipe.epochs)

        def on_epoch(epoch: int, of: int, loss: float) -> None:
            progress.update(bar, description=f"epoch {epoch}/{of}, loss {loss:.3f}", completed=epoch)

        return train_task(recipe, folder, root, resume=resume, on_epoch=on_epoch)


def _refuse(others: Mapping[str, bool], why: str) -> None:
    for option, is_given in others.items():
        if is_given:
            raise InputError(f"{option}: {why}")
