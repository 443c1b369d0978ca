"""What a model's card says of its training."""

from dataclasses import replace
from pathlib import Path

import pytest

from quant.runs.recipes import recipe_of, training_command


@pytest.mark.parametrize(("cell", "small", "sizes", "words"), [
    ("sru", False, {}, ""),
    ("sru", True, {}, "--small "),
    ("sru", False, {"layers": 2, "cells": 48}, "--layers 2 --cells 48 "),
    ("gru", False, {"layers": 3, "cells": 256}, "--cell gru --layers 3 --cells 256 "),
    ("gru", False, {"layers": 5, "cells": 550}, "--cell gru --layers 5 --cells 550 "),
    ("sru", False, {"causal": True}, "--causal "),
    ("gru", True, {"cells": 32, "causal": True}, "--small --cell gru --causal --layers 2 --cells 32 "),
    ("ligru", True, {"cells": 32}, "--small --cell ligru --layers 2 --cells 32 "),
])  # fmt: skip
def test_a_card_says_how_to_train_it_again(cell: str, small: bool, sizes: dict[str, int], words: str) -> None:
    recipe = recipe_of(cell, small, sizes.get("layers"), sizes.get("cells"), "causal" in sizes)
    said = training_command(recipe, small, None, None, False)
    assert said == f"mohaq train --out FOLDER {words}--epochs {recipe.epochs} --seed 1 --products bfloat16"


def test_a_card_says_that_nothing_was_normalised() -> None:
    said = training_command(replace(recipe_of("sru", False), normalised=False), False, None, None, False)
    assert said == "mohaq train --out FOLDER --epochs 12 --seed 1 --products bfloat16 --unnormalised"


def test_a_start_brings_cell_and_sizes(tmp_path: Path) -> None:
    said = training_command(recipe_of("gru", False, 3, 256), False, "gru", tmp_path, True)
    words = "--start gru --corpus timit --root FOLDER --skip-bad"
    assert said == f"mohaq train --out FOLDER {words} --epochs 12 --seed 1 --products bfloat16"
    own = training_command(recipe_of("gru", False, 3, 256), False, "runs/mine/model.safetensors", None, False)
    assert own == "mohaq train --out FOLDER --start FOLDER/model.safetensors --epochs 12 --seed 1 --products bfloat16"
