"""The recipes that `mohaq train` has, and the command that repeats a training."""

from dataclasses import replace
from pathlib import Path

from quant.networks.geometry import geometry
from quant.networks.registry import CELLS, DEFAULT_CELL
from quant.speech.digits import is_digits
from quant.training.loop import Recipe
from simulators.inputs import plugins
from simulators.inputs.escapes import shell_word

LEARNING_RATE_FROM = 1e-3
"""Peak for a network that starts from a trained one."""

SMALL_SIZES = {"layers": 2, "cells": 48}
SMALL_PROJECTION = 32


def recipe_of(
    cell: str, small: bool, layers: int | None = None, cells: int | None = None, causal: bool = False
) -> Recipe:
    """The recipe of a cell: the same for all, but for the geometry. `layers` and `cells` replace the published sizes.
    The small one trains in seconds on the small embedded corpus, for tests and first tries. Raises InputError."""
    sizes: dict[str, int] = {name: value for name, value in (("layers", layers), ("cells", cells)) if value is not None}
    if causal:
        sizes["causal"] = True
    if not small:
        return Recipe(geometry(cell, sizes))
    if CELLS.get(cell).default_projection is not None:
        sizes = {"projection": SMALL_PROJECTION, **sizes}
    return Recipe(geometry(cell, SMALL_SIZES | sizes), epochs=8, frames_per_batch=2048, learning_rate=1e-2, dropout=0.0)


def training_command(recipe: Recipe, small: bool, start: str | None, corpus_root: Path | None, skip_bad: bool) -> str:
    """The `mohaq` command that trains the same model again."""
    words, cell, causal = ["mohaq train --out FOLDER"], recipe.geometry.cell, recipe.geometry.causal
    if start is not None:
        words.append(f"--start {shell_word(start if Path(start).name == start else f'FOLDER/{Path(start).name}')}")
    else:
        words += ["--small"] * small + [f"--cell {cell}"] * (cell != DEFAULT_CELL) + ["--causal"] * causal
        usual = replace(recipe_of(cell, small, causal=causal).geometry, outputs=recipe.geometry.outputs)
        if cell != DEFAULT_CELL or recipe.geometry != usual:
            words.append(f"--layers {recipe.geometry.layers} --cells {recipe.geometry.cells}")
    if corpus_root:
        words.append(f"--corpus {corpus_name(corpus_root)} --root FOLDER" + " --skip-bad" * skip_bad)
    words += [f"--plugin {shell_word(Path(path).name)}" for path in plugin_files(cell)]
    words.append(f"--epochs {recipe.epochs} --seed {recipe.seed} --products {recipe.products}")
    return " ".join(words + ["--unnormalised"] * (not recipe.normalised))


def plugin_files(cell: str) -> list[str]:
    """The plugin file that a cell comes from, if it does."""
    module = type(CELLS.get(cell)).__module__
    return [plugin.path for plugin in plugins.loaded() if plugin.module == module]


def corpus_name(root: Path | None) -> str:
    """What lies in a corpus's folder; None is the embedded corpus."""
    if root is None:
        return "embedded"
    return "fsdd" if is_digits(root) else "timit"
