"""Batches in threads: results in their order, one thread each, errors passed on."""

from threading import current_thread

import numpy as np
import pytest
import torch

from quant.batches import Batch, in_threads, pack, plan


@pytest.fixture
def batches() -> list[Batch]:
    mats = [np.full((n, 2), n, np.float32) for n in (3, 9, 5, 7, 4)]
    return [pack(mats, None, positions) for positions in plan([len(mat) for mat in mats], 9)]


@pytest.mark.parametrize("threads", [1, 2])
def test_results_are_in_order_and_each_on_one_thread(batches: list[Batch], threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    def work(number: int, batch: Batch) -> tuple[int, int, int, bool, str]:
        frames = int(batch.lengths.sum())
        return number, frames, torch.get_num_threads(), torch.is_inference_mode_enabled(), current_thread().name

    try:
        found = in_threads(work, batches)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert [number for number, *_ in found] == list(range(len(batches)))
    assert [frames for _, frames, *_ in found] == [int(batch.lengths.sum()) for batch in batches]
    assert {(own, inference) for _, _, own, inference, _ in found} == {(1, True)}
    assert (current_thread().name in {name for *_, name in found}) == (threads == 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_comes_through(batches: list[Batch], threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    def work(number: int, batch: Batch) -> None:
        raise ValueError(f"batch {number}")

    try:
        with pytest.raises(ValueError, match="batch"):
            in_threads(work, batches)
    finally:
        torch.set_num_threads(before)
