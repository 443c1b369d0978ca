"""A task's trained GRU as a file and as a model for `search.run`, whose sites are its operators.

The file is safetensors: torch's parameters, `feature_mean` and `feature_deviation` (K,); metadata, key `mohaq`: JSON of
the kind, the operators' ranges, and the record of the training.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import BaseModel, ConfigDict, Field

from quant.evaluation.rates import Rates
from quant.files.tensor_files import check_kind, check_tensors, kind_of, read_tensors, tensors_as_bytes
from quant.own.gru_classifier import GruClassifier, GruParameters
from quant.own.operator_gru import OPERATORS, OperatorGru
from quant.sites.candidate import fixed_bits, named_words
from quant.tasks.real_tasks import task_named
from quant.tasks.task import Standardisation, TaskData
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import json_as
from simulators.inputs.source_locations import KeyedError, shown

KIND = "operator-gru"
FORMAT = 1
SEARCHED_WIDTHS = (2, 3, 4, 5, 6, 7, 8)
"""Widths that a search chooses from: those up to the 8 bits that it is held against."""


class _Recorded(BaseModel):
    """How a checkpoint was made."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: str
    cells: int = Field(ge=1, le=1024)
    epochs: int
    seed: int
    data: str
    mohaq: str


class _Described(BaseModel):
    """What a file says of its tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: int
    kind: str
    ranges: dict[str, float]
    record: _Recorded


def checkpoint_bytes(
    model: GruClassifier, standard: Standardisation, ranges: Mapping[str, float], record: Mapping[str, Any]
) -> bytes:
    """A file's content; what `TaskGru.load` reads."""
    tensors = {name: value.detach() for name, value in model.state_dict().items()}
    tensors |= {"feature_mean": torch.from_numpy(standard.mean)}
    tensors |= {"feature_deviation": torch.from_numpy(standard.deviation)}
    return tensors_as_bytes(tensors, {"format": FORMAT, "kind": KIND, "ranges": dict(ranges), "record": dict(record)})


def is_operator_gru(path: Path) -> bool:
    """Whether a file is a task's GRU. False for what is none, or cannot be read."""
    return kind_of(path) == KIND


class TaskGru(OperatorGru):
    """A task's trained GRU, evaluated on a part of the task's data."""

    def __init__(
        self,
        parameters: GruParameters,
        ranges: Mapping[str, float],
        data: TaskData,
        name: str,
        file_digest: str,
        record: Mapping[str, Any],
        split: str = "dev",
    ):
        """`data` are standardised; `record` says how it was trained."""
        super().__init__(parameters, ranges, getattr(data, split), name, SEARCHED_WIDTHS)
        self.task_data = data
        self.record = record
        self._file_digest = file_digest

    @classmethod
    def load(cls, path: Path, root: Path | None = None) -> Self:
        """From a file, with the data of its task, found as the task says. Raises InputError for a file that is none,
        and for data that are not there."""
        file = read_tensors(path)
        check_kind(file, KIND, FORMAT, "the operator-wise GRU of a task")
        described = json_as(_Described, file.described, str(path))
        if described.ranges.keys() != OPERATORS.keys() or min(described.ranges.values()) < 0:
            raise InputError(f"{path}: ranges: they must be one of each operator, at least 0: {', '.join(OPERATORS)}")
        data = task_named(described.record.task).load(root)
        classes = int(data.train.y.max()) + 1
        inputs = data.train.x.shape[2]
        model = GruClassifier(inputs, described.record.cells, classes)
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        check_tensors(path, file.tensors, shapes | {"feature_mean": (inputs,), "feature_deviation": (inputs,)})
        if not (file.tensors["feature_deviation"] > 0).all():
            raise InputError(f"{path}: tensor feature_deviation holds values that are not positive")
        model.load_state_dict({name: file.tensors[name] for name in shapes})
        mean, deviation = (file.tensors[f"feature_{name}"].float().numpy() for name in ("mean", "deviation"))
        standard = Standardisation(mean, deviation)
        parts = TaskData(*(standard(part) for part in (data.train, data.dev, data.test)))
        return cls(
            GruParameters.of(model), described.ranges, parts, path.stem, file.digest, described.record.model_dump()
        )

    @property
    def digest(self) -> str:
        """sha256 of its file."""
        return self._file_digest

    def parse_bits(self, text: str) -> dict[str, tuple[int, int]]:
        """Read `8`, or `8,h=6,U=4` with what some operators have instead. Raises InputError that says which part is
        wrong."""
        first, *parts = text.split(",")
        if "=" in first:
            raise InputError(f"bits: {shown(text)}: a width for all operators comes first, as in 8,h=6")
        named = named_words(parts, "operator")
        try:
            bits = {**fixed_bits({"*": first.strip()}, list(OPERATORS)), **fixed_bits(named, list(OPERATORS))}
        except KeyedError as error:
            raise InputError(f"bits: {error}") from None
        for operator, (bits_of_it, other) in bits.items():
            if bits_of_it != other:
                raise InputError(f"bits: {operator}: {bits_of_it}x{other}: an operator has one width")
        self.widths_of(bits)
        return bits

    @property
    def task(self) -> str:
        """Name of its task."""
        return str(self.record["task"])

    def float_error(self) -> Rates:
        """The error before quantization."""
        return self.evaluate(None)

    def on_split(self, split: str) -> Self:
        """This network on another part of the data: "train", "dev" or "test"."""
        own = type(self)
        return own(self.parameters, self.ranges, self.task_data, self.name, self._file_digest, self.record, split)
