"""Pictures to classify, and the network that is trained on them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quant.images.image_networks import ImageNetwork, mobilenet, resnet
from quant.tasks.pictures import DIGITS, MNIST, PackagedPictures
from quant.tasks.task import TaskData
from simulators.inputs.errors import InputError


@dataclass(frozen=True)
class ImageTask:
    """A network on a set of pictures."""

    name: str
    title: str
    """What the network is, in a line."""
    pictures: PackagedPictures
    make: Callable[[], ImageNetwork]
    """The network."""
    epochs: int
    """Passes over the training part."""

    def load(self, root: Path | None) -> TaskData:
        """The pictures in three parts, values from 0 to 1, from an installed package, or the folder or wheel that is
        named. Raises InputError where they are not there, or not as they should be."""
        return self.pictures.load(root)


_MOBILENET = "after MobileNet-V2: depthwise convolutions in inverted residuals"
_RESNET = "after ResNet, eight weighted layers deep"
_ALL = (
    ImageTask("images-mobilenet", _MOBILENET, MNIST, mobilenet, epochs=40),
    ImageTask("images-resnet", _RESNET, MNIST, resnet, epochs=25),
    ImageTask("small-images-mobilenet", _MOBILENET, DIGITS, mobilenet, epochs=20),
    ImageTask("small-images-resnet", _RESNET, DIGITS, resnet, epochs=20),
)
IMAGE_TASKS = {task.name: task for task in _ALL}
"""The tasks by their names."""


def image_task(name: str) -> ImageTask:
    """A task. Raises InputError where there is none of that name."""
    if name not in IMAGE_TASKS:
        raise InputError(f"task {name!r}: there is no such: {', '.join(IMAGE_TASKS)}")
    return IMAGE_TASKS[name]
