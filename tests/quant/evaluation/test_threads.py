"""Batches in threads: results in their order, one thread each, errors passed on."""

from concurrent.futures import ThreadPoolExecutor
from threading import current_thread

import numpy as np
import pytest
import torch

from quant.arithmetic.products import OperandCodes, Weights
from quant.evaluation.threads import in_threads
from quant.speech.batches import UtteranceBatch, pack, plan


@pytest.fixture
def batches() -> list[UtteranceBatch]:
    mats = [np.full((n, 2), n, np.float32) for n in (3, 9, 5, 7, 4)]
    return [pack(mats, None, positions) for positions in plan([len(mat) for mat in mats], 9)]


@pytest.mark.parametrize("threads", [1, 2])
def test_results_are_in_order_and_each_on_one_thread(batches: list[UtteranceBatch], threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    def work(number: int, batch: UtteranceBatch) -> tuple[int, int, int, bool, str]:
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
def test_an_error_comes_through(batches: list[UtteranceBatch], threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    def work(number: int, batch: UtteranceBatch) -> None:
        raise ValueError(f"batch {number}")

    try:
        with pytest.raises(ValueError, match="batch"):
            in_threads(work, batches)
    finally:
        torch.set_num_threads(before)


def test_evaluations_on_several_threads_leave_the_precision_of_products_as_it_was(
    batches: list[UtteranceBatch],
) -> None:
    """It is one setting for the process: a float model that is evaluated meanwhile, or later, must not see it."""
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(-8, 8, (40, 30), generator=generator)
    x = torch.randint(-8, 8, (50, 30), generator=generator).to(torch.int8)
    weights, expected = Weights(codes.float(), torch.ones(40), 4), (x.long() @ codes.T.long()).float()
    precise = torch.rand(60, 70, generator=generator), torch.rand(70, 80, generator=generator)
    product = precise[0] @ precise[1]

    def quantized(_: int, __: UtteranceBatch) -> bool:
        return all(torch.equal(weights.multiply(OperandCodes(x)).float(), expected) for _ in range(20))

    def floating(_: int, __: UtteranceBatch) -> bool:
        return all(torch.equal(precise[0] @ precise[1], product) for _ in range(20))

    before = torch.get_float32_matmul_precision()
    for _ in range(20):
        with ThreadPoolExecutor(6) as pool:
            runs = [
                pool.submit(in_threads, *((quantized, batches, True) if i % 2 else (floating, batches)))
                for i in range(6)
            ]
            assert all(all(run.result()) for run in runs)
        assert torch.get_float32_matmul_precision() == before
