"""Training on made-up examples: it learns, and a killed run resumes to the same network."""

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from killed import Killed

from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.training.loop import Examples, Recipe, TrainingStep, one_cycle, train
from simulators.inputs.errors import InputError

RECIPE = Recipe(
    geometry=geometry("sru", {"inputs": 4, "layers": 2, "cells": 6, "projection": 5, "outputs": 3}),
    epochs=4,
    frames_per_batch=256,
    learning_rate=2e-2,
    dropout=0.1,
)


def examples(count: int = 24) -> Examples:
    """The label is which of the first three inputs was largest two frames ago: it takes memory to learn."""
    generator = np.random.default_rng(0)
    features = [generator.normal(size=(int(n), 4)).astype(np.float32) for n in generator.integers(20, 70, count)]
    labels = [np.roll(x[:, :3].argmax(1), 2).astype(np.int64) for x in features]
    return Examples(features, labels, "made up")


def same(a: Network, b: Network) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.slow
def test_the_loss_falls(tmp_path: Path) -> None:
    steps: list[TrainingStep] = []
    train(replace(RECIPE, epochs=40), examples(), tmp_path, on_step=steps.append)
    assert [s.done for s in steps] == list(range(1, steps[-1].total + 1))
    assert np.mean([s.loss for s in steps[-5:]]) < 0.7 * np.mean([s.loss for s in steps[:5]])


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = train(RECIPE, examples(), tmp_path / "whole")

    def kill_in_third_epoch(step: TrainingStep) -> None:
        if step.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        train(RECIPE, examples(), tmp_path / "parts", on_step=kill_in_third_epoch)
    resumed = train(RECIPE, examples(), tmp_path / "parts", resume=True)
    assert same(whole, resumed)


def test_what_cannot_be_resumed_is_refused(tmp_path: Path) -> None:
    train(replace(RECIPE, epochs=1), examples(), tmp_path)
    with pytest.raises(InputError, match="--resume continues it"):
        train(replace(RECIPE, epochs=1), examples(), tmp_path)
    with pytest.raises(InputError, match="another recipe"):
        train(replace(RECIPE, epochs=1, seed=2), examples(), tmp_path, resume=True)
    with pytest.raises(InputError, match="another data"):
        train(replace(RECIPE, epochs=1), replace(examples(), digest="other"), tmp_path, resume=True)


def test_one_cycle_rises_and_falls_to_zero() -> None:
    shares = [one_cycle((i + 1) / 100) for i in range(100)]
    assert max(shares) == pytest.approx(1.0, abs=1e-3)
    assert shares[-1] == pytest.approx(0.0, abs=1e-9)
    assert shares.index(max(shares)) in range(8, 12)


@pytest.mark.slow
def test_two_trainings_in_one_folder_come_to_the_same(tmp_path: Path) -> None:
    """Another one runs to its end while the first is in its second epoch."""
    whole = train(RECIPE, examples(), tmp_path / "whole")
    others: list[Network] = []

    def start_another(step: TrainingStep) -> None:
        if step.epoch == 2 and not others:
            others.append(train(RECIPE, examples(), tmp_path / "shared", resume=True))

    first = train(RECIPE, examples(), tmp_path / "shared", on_step=start_another)
    assert same(whole, first)
    assert same(whole, others[0])


def test_a_full_disk_is_one_line_and_loses_no_epoch(tmp_path: Path) -> None:
    whole = train(RECIPE, examples(), tmp_path / "whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(step: TrainingStep) -> None:
        if step.epoch == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))

    try:
        with pytest.raises(InputError, match=r"training\.safetensors: cannot be written: File too large"):
            train(RECIPE, examples(), tmp_path / "parts", on_step=fill_the_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    epochs: list[int] = []
    resumed = train(RECIPE, examples(), tmp_path / "parts", resume=True, on_step=lambda step: epochs.append(step.epoch))
    assert min(epochs) == 2
    assert same(whole, resumed)
