"""A trained convolutional network as a file and as a model for `search.run`, whose sites are its products.

The file is safetensors: `SITE.weight` and `SITE.bias`, normalisation folded in; metadata, key `mohaq`: JSON of the
kind, the formats, and the record of the training.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from quant.evaluation.code import IMAGE_MODEL, IMAGE_RETRAINING
from quant.evaluation.rates import Rates
from quant.files.tensor_files import check_kind, check_tensors, kind_of, read_tensors, tensors_as_bytes
from quant.images.float_network import FloatSteps, Parameters, passed
from quant.images.image_networks import ImageNetwork
from quant.images.image_tasks import image_task
from quant.images.image_trace import image_trace
from quant.images.integer_network import WIDTHS, ImageFormats, IntegerNetwork
from quant.sites.candidate import Bits, check_candidate, parse_bits
from quant.sites.site import Site
from quant.tasks.task import TaskData
from quant.training.loop import TrainingStep
from quant.training.retraining import RESULT
from simulators import Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import json_as

KIND = "image-network"
FORMAT = 1
PARTS = 4
"""Parts of the data, of which the error has a worst: every fourth picture, for they lie class by class."""
_Fraction = Annotated[int, Field(ge=-32, le=36)]
"""What `integer_network` chooses lies between: no power of two of it, nor of their sums, is infinite in float32."""


class _Retrained(BaseModel):
    """How a network was trained on for a candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    of: str
    bits: str
    epochs: int
    learning_rate: float
    seed: int
    kept_epoch: int | None = None
    """The epoch whose parameters it has, 0 the start; of files that do not say it, the last."""


class _Recorded(BaseModel):
    """How a checkpoint was made."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: str
    epochs: int
    seed: int
    data: str
    mohaq: str
    retrained: _Retrained | None = None


class _Described(BaseModel):
    """What a file says of its tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: int
    kind: str
    inputs: dict[str, Annotated[list[_Fraction], Field(min_length=len(WIDTHS), max_length=len(WIDTHS))]]
    results: dict[str, _Fraction]
    record: _Recorded


def checkpoint_bytes(parameters: Parameters, formats: ImageFormats, record: Mapping[str, Any]) -> bytes:
    """A file's content; what `ImageModel.load` reads."""
    tensors = {f"{site}.weight": weight for site, weight in parameters.weights.items()}
    tensors |= {f"{site}.bias": bias for site, bias in parameters.biases.items()}
    described = {"inputs": dict(formats.inputs), "results": dict(formats.results), "record": dict(record)}
    return tensors_as_bytes(tensors, {"format": FORMAT, "kind": KIND, **described})


def is_image_model(path: Path) -> bool:
    """Whether a file is a convolutional network for pictures. False for what is none, or cannot be read."""
    return kind_of(path) == KIND


class ImageModel:
    """A trained convolutional network, evaluated on a part of its task's pictures."""

    bit_widths: Sequence[int] = WIDTHS
    """Widths in bits that weights and activations may have."""
    computed_by: type[IntegerNetwork] = IntegerNetwork
    """What computes its candidates."""
    scheme_name = ""
    """What distinguishes its quantization from the default, for ledgers."""

    def __init__(
        self, computes: IntegerNetwork, data: TaskData, name: str, digest: str, record: Mapping[str, Any],
        split: str = "dev",
    ):  # fmt: skip
        self.name = name
        self.digest = digest
        self.record = record
        self.data = data
        self.computes = computes
        part = getattr(data, split)
        self._pixels = torch.from_numpy(part.x)[:, None]
        self._classes = part.y
        self._split = split

    @classmethod
    def load(cls, path: Path, root: Path | None = None) -> Self:
        """From a file, with the pictures of its task, found as the task says. Raises InputError for a file that is
        none, and for pictures that are not there."""
        return cls._read(path, lambda task: image_task(task).load(root))

    @classmethod
    def _read(cls, path: Path, data_of: Callable[[str], TaskData]) -> Self:
        """From a file, with the data that a task's name has."""
        file = read_tensors(path)
        check_kind(file, KIND, FORMAT, "a convolutional network for pictures")
        described = json_as(_Described, file.described, str(path))
        task = image_task(described.record.task)
        network = task.make()
        names = [site.name for site in network.sites]
        for key, held in (("inputs", described.inputs), ("results", described.results)):
            if held.keys() != {*names}:
                raise InputError(f"{path}: {key}: they must be of each site: {', '.join(names)}")
        check_tensors(path, file.tensors, _shapes(network))
        parameters = Parameters(
            {name: file.tensors[f"{name}.weight"].float() for name in names},
            {name: file.tensors[f"{name}.bias"].float() for name in names},
        )
        computes = cls.computed_by(network, parameters, ImageFormats(described.inputs, described.results))
        digest = ":".join(filter(None, (file.digest, cls.scheme_name)))
        return cls(computes, data_of(task.name), path.stem, digest, described.record.model_dump(exclude_none=True))

    @property
    def network(self) -> ImageNetwork:
        """Its layers."""
        return self.computes.network

    @property
    def sites(self) -> tuple[Site, ...]:
        """Its products, in the order of the computation."""
        return self.network.sites

    @property
    def code(self) -> Code:
        """What decides its errors."""
        return IMAGE_MODEL

    @property
    def task(self) -> str:
        """Name of its task."""
        return str(self.record["task"])

    @cached_property
    def data_digest(self) -> str:
        """Tells what it is evaluated on apart."""
        return f"{self.data.digest}:{self._split}"

    def parse_bits(self, text: str) -> dict[str, tuple[int, int]]:
        """A candidate, as a user writes it. Raises InputError that says which part is wrong."""
        return parse_bits(text, self.sites, "delta networks are those of this project's recognisers", WIDTHS)

    def check(self, bits: Bits) -> None:
        """Raise InputError for a candidate that it cannot have."""
        check_candidate(bits, self.sites, WIDTHS)

    def evaluate(self, bits: Bits | None) -> Rates:
        """Percent of pictures that a candidate classifies wrongly; without bits, the network in floating point."""
        with torch.no_grad():
            if bits is None:
                results = passed(self.network, self._pixels, FloatSteps(self.computes.parameters))
                if not bool(torch.isfinite(results).all()):
                    raise InputError(f"{self.name}: its results in float32 are not finite")
            else:
                self.check(bits)
                results = self.computes.run(self._pixels, bits)
        wrong = results.argmax(1).numpy() != self._classes
        parts = [100.0 * float(np.mean(wrong[i::PARTS])) for i in range(PARTS) if len(wrong[i::PARTS])]
        return Rates(max(parts), 100.0 * float(np.mean(wrong)))

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[Rates]:
        """Errors of several candidates, one after the other."""
        return [self.evaluate(bits) for bits in candidates]

    def float_error(self) -> Rates:
        """The error before quantization."""
        return self.evaluate(None)

    def trace(self, bits: Bits, steps: int | None = None) -> Trace:
        """The layers of a candidate for one picture, or for as many as there are `steps`."""
        self.check(bits)
        return image_trace(self.network, self.name, self._pixels.shape[-1], bits, 1 if steps is None else steps)

    def stored_bits(self, bits: Bits) -> int:
        """Bits of the weights at their widths, as in the trace, which has no biases."""
        return sum(site.weights * bits[site.name][0] for site in self.sites)

    def retrained(
        self,
        bits: Bits,
        folder: Path,
        *,
        epochs: int,
        learning_rate: float,
        on_step: Callable[[TrainingStep], None] | None = None,
    ) -> Self:
        """This network trained on for a candidate, in `folder`; continued there, or found there, if it was begun.
        `on_step` is told of every epoch."""
        from quant.images.image_retraining import ImageRetraining, retrain_images

        def on_epoch(epoch: int, of: int, loss: float) -> None:
            if on_step:
                on_step(TrainingStep(epoch, epoch, of, loss, None))

        if not (folder / RESULT).is_file():
            retrain_images(self, bits, folder, ImageRetraining(epochs, learning_rate), resume=True, on_epoch=on_epoch)
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> Self:
        """What `retrained` left in a folder, on the same part of the same pictures. Raises InputError if it left
        nothing, or what was trained on from another network."""
        path = folder / RESULT
        found = self._read(path, lambda _: self.data).on_split(self._split)
        if found.record.get("retrained", {}).get("of") != self.digest:
            raise InputError(f"{path}: a retraining of another network")
        return found

    @property
    def retraining_code(self) -> Code:
        """What decides what `retrained` comes to."""
        return IMAGE_RETRAINING

    def on_split(self, split: str) -> Self:
        """This network on another part of the pictures: "train", "dev" or "test"."""
        return type(self)(self.computes, self.data, self.name, self.digest, self.record, split)


def _shapes(network: ImageNetwork) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {layer.name: layer.shape for layer in network.layers}
    shapes[network.sites[-1].name] = (network.classes, network.features)
    biases = {f"{site}.bias": shape[:1] for site, shape in shapes.items()}
    return {f"{site}.weight": shape for site, shape in shapes.items()} | biases
