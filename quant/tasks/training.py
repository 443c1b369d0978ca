"""Training of a task's GRU: its epochs are those of `epochs`, resumable and bit-equal from their seed."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from quant.own.gru_classifier import GruParameters, new_classifier, optimiser_of, train_epoch
from quant.own.operator_gru import ranges_of
from quant.tasks.card import card
from quant.tasks.epochs import Epochs, OnEpoch, check_length, one_thread, place_of
from quant.tasks.real_tasks import task_named
from quant.tasks.task import Standardisation
from quant.tasks.task_gru import TaskGru, checkpoint_bytes
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole

MOST_CELLS = 1024


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
        if not 1 <= self.cells <= MOST_CELLS:
            raise InputError(f"{self.name}: cells is {self.cells}: it must be 1 to {MOST_CELLS}")
        check_length(self.name, self.epochs, self.seed)

    @property
    def name(self) -> str:
        """The training's name in messages."""
        return f"training of {self.task}"


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
    path, state = place_of(folder, name, resume)
    train = standard(data.train)
    epochs = Epochs(recipe.name, recipe.epochs, {"recipe": asdict(recipe), "data": data.digest}, state)
    with one_thread():
        model = new_classifier(train, recipe.cells, recipe.seed)
        optimiser = optimiser_of(model)
        epochs.train(
            model, optimiser, lambda epoch: train_epoch(model, optimiser, train, recipe.seed, epoch, recipe.epochs),
            on_epoch,
        )  # fmt: skip
    model.requires_grad_(False)
    ranges = ranges_of(GruParameters.of(model), train)
    record = {**asdict(recipe), "data": data.digest, "mohaq": version("mohaq")}
    write_whole(path, checkpoint_bytes(model, standard, ranges, record))
    write_whole(folder / f"{name}.md", card(TaskGru.load(path, root)).encode())
    return path
