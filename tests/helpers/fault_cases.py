"""The commands that are stopped at random moments, each of a few seconds: a small recogniser of tones, its retraining,
its searches and sweep, and what is made of them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from onnx import helper
from onnx_graphs import model_of, saved
from task_wheels import PICTURES, packed, pictures, wheel_of
from tone_corpus import write_tones

PRODUCTS = ("--products", "float32")
"""Equal weights are those of one type, which a new run would choose by what is faster at the moment."""
TRAIN = ("--corpus", "timit", "--cell", "gru", "--layers", "2", "--cells", "16", "--epochs", "20", *PRODUCTS)
TRAIN_SRU = ("--corpus", "timit", "--cell", "sru", "--layers", "2", "--cells", "64", "--epochs", "10", *PRODUCTS)
"""Whose recurrence Numba compiles."""


@dataclass(frozen=True)
class Case:
    """A command that `--resume` continues, or one that does all of its work again."""

    arguments: tuple[str, ...]
    """What follows `mohaq`; OUT stands for the run's folder."""
    results: tuple[str, ...]
    """Patterns of the files in that folder which are the same in the end."""
    again: bool = False
    """Whether it is stopped while former results lie there, and takes no `--resume`."""
    of_workers: bool = False
    """Whether one of the processes that it began is stopped, and not the command, which then ends by itself."""

    threads: int = 1
    compiles: bool = False
    """Whether it is run once more without any compiled kernels, to the same results."""

    def environment(self, kernels: Path | None = None) -> dict[str, str]:
        """What it runs in; with a folder, compiled kernels are looked for and kept there."""
        cache = {} if kernels is None else {"NUMBA_CACHE_DIR": str(kernels)}
        return {**os.environ, "OMP_NUM_THREADS": str(self.threads), **cache}

    def command(self, folder: Path) -> list[str]:
        """The command that does the work, or goes on with it, in a folder."""
        given = [argument.replace("OUT", str(folder)) for argument in self.arguments]
        return [sys.executable, "-m", "mohaq", *given, *([] if self.again else ["--resume"])]

    def files(self, folder: Path) -> Mapping[str, Path]:
        """The results that are there."""
        found = (path for pattern in self.results for path in folder.glob(pattern))
        return {str(path.relative_to(folder)): path for path in found}


def cases_of(work: Path) -> dict[str, Case]:
    """All cases, with files of theirs in a folder, among them a small recogniser."""
    root, model = _corpus_and_model(work)
    for name, content in _experiments(root, model, _network(work)).items():
        (work / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **content}))
    wheel = _wheel(work)
    data = ("--corpus", "timit", "--root", str(root))
    found = ("pareto.csv", "pareto.json", "solutions/*.yaml", "run.yaml")
    swept = ("sweep.csv", "sweep.json", "fronts.csv", "variants.csv", "points.npz")
    search = ("search", str(work / "search.yaml"), "--out", "OUT")
    workers = (*search, "--workers", "2")
    return {
        "train": Case(("train", *TRAIN, "--root", str(root), "--out", "OUT"), ("model.safetensors",)),
        "train by two threads": Case(
            ("train", *TRAIN_SRU, "--root", str(root), "--out", "OUT"), ("model.safetensors",), threads=2, compiles=True
        ),
        "train a GRU of a task": Case(
            ("train", "--task", "mnist-rows", "--cells", "8", "--epochs", "40", "--root", str(wheel), "--out", "OUT"),
            ("model.safetensors",),
        ),
        "train a network for pictures": Case(
            ("train", "--task", "images-mobilenet", "--epochs", "3", "--root", str(wheel), "--out", "OUT"),
            ("model.safetensors",),
        ),
        "retrain": Case(
            ("retrain", "--bits", "2", "--model", str(model), *data, "--epochs", "20", *PRODUCTS, "--out", "OUT"),
            ("retrained.safetensors",),
        ),
        "retrain a network for pictures": Case(
            ("retrain", "--model", "images-mobilenet", "--bits", "3", "--epochs", "3", "--root", str(wheel), "--out", "OUT"),
            ("retrained.safetensors",),
        ),
        "search": Case(search, found),
        "workers": Case(workers, found),
        "dask": Case((*workers, "--dask"), found),
        "a worker": Case(workers, found, of_workers=True),
        "a worker of Dask": Case((*workers, "--dask"), found, of_workers=True),
        "a network from a file": Case(("search", str(work / "network.yaml"), "--workers", "2", "--out", "OUT"), found),
        "beacons": Case(("search", str(work / "beacons.yaml"), "--out", "OUT"), (*found, "beacons/*/retrained.safetensors")),
        "campaign": Case(
            ("search", str(work / "campaign.yaml"), "--out", "OUT"),
            ("*/pareto.csv", "*/pareto.json", "*/solutions/*.yaml", "report.csv"),
        ),
        "sweep": Case(("sweep", str(work / "sweep.yaml"), "--workers", "2", "--out", "OUT"), swept),
        "a sweep on Dask": Case(("sweep", str(work / "sweep.yaml"), "--dask", "--workers", "2", "--out", "OUT"), swept),
        "a sweep of networks": Case(
            ("sweep", str(work / "networks.yaml"), "--workers", "2", "--out", "OUT"), ("points.csv", "points.png")
        ),
        "export": Case(
            ("export", "--bits", "4x8", "--model", str(model), "--out", "OUT"), ("model.json", "model.safetensors"), True
        ),
        "report": Case(("report", str(work / "whole-search"), "--out", "OUT/page.html"), ("page.html",), True),
    }  # fmt: skip


def _experiments(root: Path, model: Path, network: dict[str, str]) -> dict[str, dict[str, object]]:
    common = {"model": str(model), "corpus_root": str(root), "steps": 5, "population": 16, "offspring": 8}
    searched: dict[str, object] = {**common, "method": "nsga2", "generations": 6}
    beacons = {"threshold": 2.0, "above": 3.0, "below": 80.0, "most": 3, "epochs": 10}
    swept = {"array.rows": [4, 8, 16], "dram.bits_per_cycle": [64, 96, 128, 192]}
    return {
        "search": searched,
        "network": {**{key: value for key, value in searched.items() if key != "corpus_root"}, **network, "steps": 1},
        "campaign": {
            **{key: value for key, value in searched.items() if key != "model"}, "generations": 2,
            "models": [str(model)], "archs": ["bitfusion", "silago"],
        },
        "beacons": {**searched, "constraints": {"error_increase": 30.0}, "beacons": beacons},
        "sweep": {
            **common, "method": "nsga2", "candidates": {"random": 32}, "hardware": {"archs": ["bitfusion"], "grid": swept},
        },
        "networks": {
            "networks": ["alexnet-convolutions", "googlenet-convolutions"], "arch": "epiphany-e64", "weight_bits": [2, 8],
            "grid": {"memory.total_kib": [32, 64], "mesh.rows": [4, 8]},
        },
    }  # fmt: skip


def _network(work: Path) -> dict[str, str]:
    """A network of three products and what it is given, as an experiment names them."""
    draw = np.random.default_rng(1)
    data = work / "given"
    data.mkdir(exist_ok=True)
    for i in range(6):
        np.save(data / f"{i}.npy", draw.normal(size=(1, 200, 8)).astype(np.float32))
    sizes = (8, 64, 64, 4)
    matrices = {f"w{i}": draw.normal(size=pair).astype(np.float32) / 4 for i, pair in enumerate(pairwise(sizes))}
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]), helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w1"], ["c"]), helper.make_node("Tanh", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "w2"], ["y"]),
    ]  # fmt: skip
    model = model_of(nodes, {"x": np.zeros((1, 1, 8), np.float32)}, matrices)
    return {"model": str(saved(model, work, "network.onnx")), "data": str(data)}


def _wheel(work: Path) -> Path:
    """A wheel with a few pictures of digits."""
    path = work / "data.whl"
    if not path.exists():
        wheel_of(work, {PICTURES: packed(pictures())}).rename(path)
    return path


def _corpus_and_model(work: Path) -> tuple[Path, Path]:
    """The corpus of tones and the recogniser of it, made once for a folder."""
    root, folder = work / "tones", work / "small"
    if not root.exists():
        write_tones(root)
    if not (folder / "model.safetensors").exists():
        command = [sys.executable, "-m", "mohaq", "train", *TRAIN, "--root", str(root), "--out", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
    return root, folder / "model.safetensors"
