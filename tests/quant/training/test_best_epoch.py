"""Which epoch of a retraining is kept, by what is written down here, and after an interruption."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from quant.files.tensor_files import Tensors
from quant.training.best_epoch import BestEpoch
from simulators.inputs.errors import InputError


@dataclass(frozen=True)
class Errs:
    error_max: float
    error: float


def best_of(start: tuple[float, float], epochs: Sequence[tuple[float, float]]) -> BestEpoch:
    """Epochs whose parameter is their number, and errs as the list says."""

    def errs(parameters: Tensors) -> Errs:
        return Errs(*epochs[int(parameters["w"]) - 1])

    return BestEpoch(lambda: Errs(*start), errs)


@pytest.mark.parametrize(
    ("start", "epochs", "kept"),
    [
        ((30, 20), [(25, 15), (20, 10)], 2),
        ((30, 20), [(20, 10), (25, 15)], 1),
        ((30, 20), [(20, 10), (20, 10), (20, 9)], 3),  # of equal worst parts the one that errs less over all
        ((30, 20), [(31, 10), (30, 21)], 0),  # one of the two is above the start
        ((30, 20), [(10, 21), (29, 19)], 2),
        ((30, 20), [(30, 20)], 0),
        ((30, 20), [(float("nan"), float("nan"))], 0),
    ],
)
def test_the_least_error_that_is_above_the_start_in_nothing(
    start: tuple[float, float], epochs: list[tuple[float, float]], kept: int, tmp_path: Path
) -> None:
    whole = best_of(start, epochs)
    whole.begin()
    for epoch in range(1, len(epochs) + 1):
        whole.end_epoch(epoch, {"w": torch.tensor(float(epoch))})
        resumed = best_of((99.0, 99.0), epochs)  # what a state says is not evaluated again
        resumed.restore(tmp_path, whole.described() | {"epochs_done": epoch})
        assert resumed.shapes({"w": ()}) == {name: tuple(x.shape) for name, x in whole.tensors().items()}
        resumed.restore_parameters({"w": torch.tensor(7.0), **whole.tensors()})
        whole = resumed
    assert whole.epoch == kept
    assert whole.parameters == ({"w": torch.tensor(float(kept))} if kept else {})
    done = whole.result(tmp_path, len(epochs))
    assert (done.before, done.after) == (start[1], epochs[kept - 1][1] if kept else start[1])
    assert any("did not help" in note for note in done.notes) is (kept == 0)
    assert any("erred least" in note for note in done.notes) is (0 < kept < len(epochs))


@pytest.mark.parametrize(
    "said",
    [{}, {"best": 3}, {"best": {"epoch": 1, "before": [1], "after": [1, 2]}}, {"best": {"epoch": 1, "before": 1}},
     {"best": {"epoch": 4, "before": [1, 1], "after": [1, 1]}}, {"best": {"epoch": "1", "before": [1, 1], "after": [1, 1]}},
     {"best": {"epoch": 1, "before": ["a", 1], "after": [1, 1]}}],
)  # fmt: skip
def test_a_state_that_does_not_say_it_gets_one_line(said: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"which epoch was best|best epoch '?\d'?: not one"):
        best_of((1, 1), []).restore(tmp_path, said | {"epochs_done": 3})
