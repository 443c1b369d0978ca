"""The type of training's products: the faster one by measurement, and then the one that a run began with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from quant.files.checkpoint import TRAINING_STATE
from quant.files.tensor_files import read_tensors, tensors_as_bytes
from quant.networks.geometry import geometry
from quant.training import product_types
from quant.training.loop import Examples, Recipe, TrainingArithmetic, chosen_products, train
from quant.training.product_types import Products, fastest_products, products_per_second
from simulators import InputError


class Stopped(Exception):
    """A run was interrupted."""


def recipe(products: Products) -> Recipe:
    small = geometry("gru", {"inputs": 4, "layers": 1, "cells": 5, "outputs": 3})
    return Recipe(small, epochs=2, frames_per_batch=64, products=products)


def examples() -> Examples:
    generator = np.random.default_rng(1)
    features = [generator.standard_normal((20, 4), np.float32) for _ in range(4)]
    return Examples(features, [generator.integers(0, 3, 20) for _ in range(4)], "made up")


@pytest.mark.parametrize(("bfloat16", "chosen"), [(0.2, "float32"), (1.1, "float32"), (2.0, "bfloat16")])
def test_bfloat16_is_chosen_where_it_is_clearly_faster(
    bfloat16: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_types, "products_per_second", lambda: {"float32": 1.0, "bfloat16": bfloat16})
    assert fastest_products() == chosen


def test_both_types_are_measured() -> None:
    assert all(speed > 1e6 for speed in products_per_second().values())


def test_operands_are_rounded_to_the_type_and_sums_are_not() -> None:
    """1 + 2^-9 needs ten bits, of which bfloat16 has eight; a sum of 300 products of 1 is whole in float32 only."""
    x, weight = torch.full((1, 300), 1 + 2.0**-9), torch.ones(1, 300)
    assert float(TrainingArithmetic("float32").product("W0", x, weight)) == 300 * (1 + 2.0**-9)
    assert float(TrainingArithmetic("bfloat16").product("W0", x, weight)) == 300


def test_a_resumed_run_keeps_its_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(recipe("float32"), examples(), tmp_path / "whole")

    def stop(epoch: int, network: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train(recipe("float32"), examples(), tmp_path, on_epoch=stop)
    monkeypatch.setattr("quant.training.loop.fastest_products", lambda: "bfloat16")
    assert chosen_products(tmp_path, True, None) == "float32"
    assert chosen_products(tmp_path, True, "bfloat16") == "bfloat16"
    assert chosen_products(tmp_path / "new", True, None) == "bfloat16"
    with pytest.raises(InputError, match="the run to resume has another recipe"):
        train(recipe("bfloat16"), examples(), tmp_path, resume=True)
    resumed = train(recipe("float32"), examples(), tmp_path, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    other = train(recipe("bfloat16"), examples(), tmp_path / "other")
    assert not all(torch.equal(a, b) for a, b in zip(whole.parameters(), other.parameters(), strict=True))


def test_a_state_that_does_not_say_its_type_is_of_bfloat16(tmp_path: Path) -> None:
    train(recipe("bfloat16"), examples(), tmp_path)
    file = read_tensors(tmp_path / TRAINING_STATE)
    described = json.loads(file.described)
    del described["recipe"]["products"]
    (tmp_path / TRAINING_STATE).write_bytes(tensors_as_bytes(file.tensors, described))
    assert chosen_products(tmp_path, True, None) == "bfloat16"
    train(recipe("bfloat16"), examples(), tmp_path, resume=True)
    with pytest.raises(InputError, match="another recipe"):
        train(recipe("float32"), examples(), tmp_path, resume=True)


def test_another_type_is_refused() -> None:
    with pytest.raises(InputError, match="products is 'float16': it must be float32 or bfloat16"):
        recipe("float16")  # type: ignore[arg-type]
