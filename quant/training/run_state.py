"""The state that a training keeps after every epoch: its file, and the moments of its optimiser, AdamW, in it.

Of a parameter NAME the file has `optimiser.step.NAME`, and `optimiser.exp_avg.NAME` and `optimiser.exp_avg_sq.NAME` in
the parameter's shape. A parameter that had no gradient has none of them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from quant.files.checkpoint import TRAINING_STATE
from quant.files.tensor_files import check_tensors
from simulators.inputs.errors import InputError

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")

Named = Iterable[tuple[str, torch.Tensor]]
"""Parameters by their names."""
Shapes = Mapping[str, tuple[int, ...]]


def state_file(folder: Path, resume: bool) -> Path:
    """Where a run in a folder keeps its state. Raises InputError where a run is there that is not to be resumed."""
    path = folder / TRAINING_STATE
    if path.exists() and not resume:
        raise InputError(
            f"{path}: a training run is already here: --resume continues it, another folder starts a new one"
        )
    return path


def moments_of(optimiser: torch.optim.Optimizer, parameters: Named) -> dict[str, torch.Tensor]:
    """The moments of all parameters, as the file names them."""
    return {
        f"optimiser.{moment}.{name}": torch.as_tensor(value)
        for name, parameter in parameters
        for moment, value in optimiser.state[parameter].items()
    }


def _shapes_of_moments(of: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """The shapes of the moments of parameters, as the file names them."""
    return {
        f"optimiser.{moment}.{name}": () if moment == "step" else shape for name, shape in of for moment in _MOMENTS
    }


def check_state(path: Path, tensors: Mapping[str, torch.Tensor], shapes: Shapes, trained: Iterable[str]) -> None:
    """Raise InputError unless a state has finite tensors of these shapes and the moments of the parameters that were
    `trained`, which a training can have come to."""
    of = [(name, shapes[name]) for name in trained]
    check_tensors(path, tensors, {**shapes, **_shapes_of_moments(of)})
    for name, _ in of:
        if not tensors[name].is_floating_point():
            raise InputError(f"{path}: tensor {name} has whole numbers")
        for moment in ("step", "exp_avg_sq"):
            if bool((tensors[f"optimiser.{moment}.{name}"].float() < 0).any()):
                raise InputError(f"{path}: tensor optimiser.{moment}.{name} holds values below zero")


def restore_moments(optimiser: torch.optim.Optimizer, parameters: Named, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give an optimiser the moments of parameters that a state has."""
    for name, parameter in parameters:
        optimiser.state[parameter] = {moment: tensors[f"optimiser.{moment}.{name}"].float() for moment in _MOMENTS}


def had_gradient(name: str, tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether a state has moments of a parameter."""
    return f"optimiser.step.{name}" in tensors
