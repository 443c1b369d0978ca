"""The state of a training as it is read back: what no training can have come to is refused by its tensor."""

from pathlib import Path

import pytest
import torch

from quant.training.run_state import check_state, moments_of
from simulators.inputs.errors import InputError

PATH = Path("training.safetensors")
SHAPES = {"weight": (2, 3), "bias": (2,)}


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """What AdamW keeps after two steps of a weight; the bias was not trained."""
    weight = torch.ones(2, 3, requires_grad=True)
    optimiser = torch.optim.AdamW([weight])
    for _ in range(2):
        weight.square().sum().backward()
        optimiser.step()
    return {"weight": weight.detach(), "bias": torch.zeros(2), **moments_of(optimiser, [("weight", weight)])}


def test_a_state_of_a_training_is_taken(state: dict[str, torch.Tensor]) -> None:
    check_state(PATH, state, SHAPES, ["weight"])
    assert float(state["optimiser.step.weight"]) == 2
    with pytest.raises(InputError, match=r"tensors missing or unknown: optimiser.exp_avg.bias"):
        check_state(PATH, state, SHAPES, ["weight", "bias"])


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("optimiser.step.weight", torch.tensor(-1.0), "holds values below zero"),
        ("optimiser.exp_avg_sq.weight", torch.full((2, 3), -1e-9), "holds values below zero"),
        ("optimiser.exp_avg.weight", torch.full((2, 3), float("nan")), "holds values that are not finite"),
        ("weight", torch.ones(2, 3, dtype=torch.int8), "has whole numbers"),
        ("weight", torch.ones(3, 2), r"has shape \(3, 2\): the geometry asks for \(2, 3\)"),
    ],
)
def test_what_no_training_leaves_is_refused(
    name: str, value: torch.Tensor, rule: str, state: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(InputError, match=f"^training.safetensors: tensor {name} {rule}$"):
        check_state(PATH, state | {name: value}, SHAPES, ["weight"])
