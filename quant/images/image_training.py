"""Training of a convolutional network on its task's pictures: a minute or two, resumable, bit-equal from its seed."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from quant.images.float_network import WEIGHT_DECAY, new_network, train_epoch
from quant.images.image_card import card
from quant.images.image_model import ImageModel, checkpoint_bytes
from quant.images.image_tasks import image_task
from quant.images.integer_network import formats_of
from quant.tasks.epochs import Epochs, OnEpoch, check_length, one_thread, place_of
from simulators.inputs.files import write_whole

SEEN = 512
"""Pictures of the training part, at most, that formats are chosen by: spread over it."""


@dataclass(frozen=True)
class ImageRecipe:
    """Everything that a training depends on besides its pictures. Raises InputError for what cannot be."""

    task: str
    """Name of the task."""
    epochs: int
    """Passes over the training part."""
    seed: int = 1
    """Decides the first weights, the batches and the moves of pictures."""

    @classmethod
    def of(cls, task: str, epochs: int | None = None, seed: int = 1) -> "ImageRecipe":
        """A task's own length, unless another is given."""
        return cls(task, image_task(task).epochs if epochs is None else epochs, seed)

    def __post_init__(self) -> None:
        check_length(self.name, self.epochs, self.seed)

    @property
    def name(self) -> str:
        """The training's name in messages."""
        return f"training of {self.task}"


def train_images(
    recipe: ImageRecipe, folder: Path, root: Path | None = None, *, name: str = "model", resume: bool = False,
    on_epoch: OnEpoch | None = None,
) -> Path:  # fmt: skip
    """Train, choose formats by the training part, and write `NAME.safetensors` with its card `NAME.md` to `folder`.
    Returns the checkpoint's path. Raises InputError for pictures that are not there, and for a folder that holds a run
    unless `resume`."""
    task = image_task(recipe.task)
    data, network = task.load(root), task.make()
    path, state = place_of(folder, name, resume)
    x, y = torch.from_numpy(data.train.x)[:, None], torch.from_numpy(data.train.y)
    epochs = Epochs(recipe.name, recipe.epochs, {"recipe": asdict(recipe), "data": data.digest}, state)
    with one_thread():
        model = new_network(network, recipe.seed)
        optimiser = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
        epochs.train(
            model, optimiser, lambda epoch: train_epoch(model, optimiser, x, y, recipe.seed, epoch, recipe.epochs),
            on_epoch,
        )  # fmt: skip
        with torch.no_grad():
            parameters = model.eval().folded()
            formats = formats_of(network, parameters, x[:: -(-len(x) // SEEN)])
    record = {**asdict(recipe), "data": data.digest, "mohaq": version("mohaq")}
    write_whole(path, checkpoint_bytes(parameters, formats, record))
    write_whole(folder / f"{name}.md", card(ImageModel.load(path, root)).encode())
    return path
