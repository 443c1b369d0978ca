"""Training of a convolutional network on its task's pictures: one thread, a minute or two, bit-equal from its seed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from quant.images.float_network import WEIGHT_DECAY, new_network, train_epoch
from quant.images.image_card import card
from quant.images.image_model import ImageModel, checkpoint_bytes
from quant.images.image_tasks import image_task
from quant.images.integer_network import formats_of
from quant.tasks.training import one_thread
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole

SEEN = 512
"""Pictures of the training part, at most, that formats are chosen by: spread over it."""
OnEpoch = Callable[[int, int, float], None]
"""Is told an epoch from 1, how many there are, and its loss in nats."""


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
        if not 1 <= self.epochs <= 100_000:
            raise InputError(f"training of {self.task}: epochs is {self.epochs}: it must be 1 to 100000")
        if not 0 <= self.seed < 1 << 32:
            raise InputError(f"training of {self.task}: seed is {self.seed}: it must lie between 0 and 2^32 - 1")


def train_images(
    recipe: ImageRecipe, folder: Path, root: Path | None = None, *, name: str = "model",
    on_epoch: OnEpoch | None = None,
) -> Path:  # fmt: skip
    """Train, choose formats by the training part, and write `NAME.safetensors` with its card `NAME.md` to `folder`.
    Returns the checkpoint's path. Raises InputError for pictures that are not there, and for a folder that holds a
    checkpoint of the name."""
    task = image_task(recipe.task)
    data, network = task.load(root), task.make()
    make_folder(folder)
    path = folder / f"{name}.safetensors"
    if path.exists():
        raise InputError(f"{path}: a network is already here: another folder starts a new one")
    x, y = torch.from_numpy(data.train.x)[:, None], torch.from_numpy(data.train.y)
    with one_thread():
        model = new_network(network, recipe.seed)
        optimiser = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
        for epoch in range(recipe.epochs):
            loss = train_epoch(model, optimiser, x, y, recipe.seed, epoch, recipe.epochs)
            if not loss < float("inf"):
                raise InputError(f"training of {recipe.task} diverged in epoch {epoch + 1}: the loss is {loss}")
            if on_epoch:
                on_epoch(epoch + 1, recipe.epochs, loss)
        with torch.no_grad():
            parameters = model.eval().folded()
            formats = formats_of(network, parameters, x[:: -(-len(x) // SEEN)])
    record = {**asdict(recipe), "data": data.digest, "mohaq": version("mohaq")}
    write_whole(path, checkpoint_bytes(parameters, formats, record))
    write_whole(folder / f"{name}.md", card(ImageModel.load(path, root)).encode())
    return path
