"""Searches of networks from files: names of sites that are paths of modules, and lengths that they have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx_graphs import model_of, saved

from search import Experiment, run
from search.report.data import gather
from search.runs.learnt_elsewhere import learnt_elsewhere
from search.runs.run_reader import load_run
from simulators import InputError

VALUES = np.random.default_rng(1).normal(size=(1, 12, 4)).astype(np.float32)


def files(folder: Path, nodes: list[Any], constants: dict[str, Any]) -> dict[str, Any]:
    """A network's settings, with its file and data in a folder."""
    (folder / "data").mkdir()
    np.savez(folder / "data/0.npz", x=VALUES)
    path = saved(model_of(nodes, {"x": VALUES}, constants), folder)
    return {"name": "own", "model": str(path), "data": str(folder / "data"), "constraints": {}}


def test_paths_of_modules_are_names_of_sites(tmp_path: Path) -> None:
    """As exporters write them: a run with them is read, reported and learnt from as any other."""
    weights = np.random.default_rng(2).normal(size=(2, 4, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], name="/enc/layers.0/c/MatMul"),
        helper.make_node("Relu", ["h"], ["r"], name="/enc/act/Relu"),
        helper.make_node("MatMul", ["r", "b"], ["y"], name="/enc/c+d/MatMul_1"),
    ]
    small = {"population": 12, "offspring": 2, "generations": 1, "steps": 1}
    settings = files(tmp_path, nodes, {"a": weights[0], "b": weights[1]}) | small
    experiment = Experiment.model_validate(settings)
    found = run(experiment, tmp_path / "run")
    assert [*found.front[0].bits] == ["enc/layers.0/c", "enc/c+d"]
    results = load_run(tmp_path / "run").results
    assert results is not None
    assert [row["bits"] for row in results["front"]] == [solution.name for solution in found.front]
    gather([tmp_path / "run"])
    (known,) = learnt_elsewhere(experiment.model_copy(update={"learn_from": (str(tmp_path / "run"),)}))
    assert known.candidates[0].keys() == found.front[0].bits.keys()


def test_a_length_that_a_network_has_not_is_refused_before_its_run_begins(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "size"], ["r"]), helper.make_node("MatMul", ["r", "a"], ["y"], name="o")]
    constants = {"size": np.array([1, 48]), "a": np.eye(48, 3, dtype=np.float32)}
    path = tmp_path / "own.yaml"
    settings = files(tmp_path, nodes, constants)
    path.write_text("".join(f"{key}: {value}\n" for key, value in settings.items()) + "steps: 7\n")
    with pytest.raises(InputError, match=rf"{path}:5:8: steps: 7 frames: the first call has 1: node "):
        run(Experiment.load(path), tmp_path / "run")
    assert not (tmp_path / "run").exists()
