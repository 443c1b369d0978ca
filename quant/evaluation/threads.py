"""Work on several batches at a time, each on a thread of its own."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import RLock
from typing import TypeVar

import torch

from quant.speech.batches import UtteranceBatch

Result = TypeVar("Result")

_pool_at_a_time = RLock()
"""An evaluation keeps all cores busy and sets what holds for the whole process, so a second one waits."""


def in_threads(
    work: Callable[[int, UtteranceBatch], Result], batches: Sequence[UtteranceBatch], integer_products: bool = False
) -> list[Result]:
    """What `work` makes of each batch and its number, without a graph for differentiation. As many at a time as torch
    has threads, each on one thread, so that none waits for another before the end; the largest are begun first.

    `integer_products`: float32 products may use bfloat16 operands, which hold integers of up to 9 bits exactly and sum
    in float32.
    """

    @torch.inference_mode()
    def one(number: int) -> Result:
        return work(number, batches[number])

    with _pool_at_a_time, _matmul_precision("medium" if integer_products else torch.get_float32_matmul_precision()):
        threads = torch.get_num_threads()
        if min(threads, len(batches)) < 2:
            return [one(number) for number in range(len(batches))]
        order = sorted(range(len(batches)), key=lambda number: -batches[number].features.numel())
        try:
            with ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool:
                results = dict(zip(order, pool.map(one, order), strict=True))
        finally:
            torch.set_num_threads(threads)  # threads begun later start with the last number that was set anywhere
    return [results[number] for number in range(len(batches))]


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    """torch's setting for float32 products, which is one for the whole process."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
