"""How the fastest exact product of a machine is found."""

import time
from collections.abc import Iterator

import pytest
import torch

from quant.arithmetic import products

MEASURED = (products._exact_int8, products._worthwhile_int8, products._faster)


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """As if nothing were known of the machine yet."""
    for found in MEASURED:
        found.cache_clear()
    yield
    for found in MEASURED:
        found.cache_clear()


@pytest.mark.parametrize(("seconds_a_row", "measured"), [(2e-4, False), (0.0, True)])
def test_a_slow_int8_product_is_measured_at_a_small_shape_only(
    seconds_a_row: float, measured: bool, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []

    def product(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        rows.append(len(x))
        time.sleep(seconds_a_row * len(x))
        return torch.tensor(64 * 2**14)  # right for the probe of exactness, and made in no time

    monkeypatch.setattr(torch, "_int_mm", product)
    pays = [products.int8_pays(2000, 64, 128, beyond) for beyond in (False, True)]
    assert (2048 in rows) == measured
    assert pays == [measured, measured]
