"""What is damaged of models, speech and searches: files of a tiny network, trained on a tiny corpus."""

import json
import shutil
import wave
from importlib.util import find_spec
from os import environ
from pathlib import Path

import numpy as np
import yaml
from task_wheels import PICTURES, packed, pictures, wheel_of
from timit_tree import tone, write_riff, write_tree

from fuzz.cases import Case, command, told, within
from fuzz.server import Action, here
from quant.images.image_training import ImageRecipe, train_images
from quant.runs.training_run import run_training
from quant.speech.corpus import load_corpus
from quant.tasks.real_tasks import TASKS
from quant.tasks.training import TaskRecipe, train_task
from search import Experiment
from search.campaign.members import members_of
from search.evaluation.beacon_files import stored_beacons
from search.runs.driver import VariantSearch
from search.runs.session import plan

EXPERIMENT = """\
name: tiny
model: model.safetensors
corpus_root: tree
arch: bitfusion
set: [array.rows=8]
objectives: [error, latency, energy]
constraints: {error_increase: 50.0}
fixed: {FC: 8}
method: nsga2
steps: 10
population: 4
offspring: 2
generations: 1
"""
BEACONS = "beacons: {threshold: 0.5, above: 0.0, below: 100.0, most: 1, epochs: 1}\n"
LEARNS = "learn_from: [source]\nmethod: surrogate\n"
NETWORKS = "{name: n, networks: [lenet-5], arch: bitfusion, weight_bits: [2, 8], grid: {array.rows: [8, 16]}}\n"
HARDWARE = "hardware: {archs: [bitfusion], grid: {array.rows: [8, 16]}, list: [{array.columns: 8}]}\n"
CAMPAIGN = EXPERIMENT.replace("model: model.safetensors", "models: [model.safetensors]").replace(
    "arch: bitfusion\nset: [array.rows=8]", "archs: [bitfusion, silago]"
)
DATA = """\
error: signal
calibrate: 2
sample_rate: 16000
hop_ms: 32
"""
BEACON = {
    "bits": {"W0": [4, 4]}, "of": "m", "data": "d", "code": "c", "epochs": 1, "learning_rate": 0.1, "digest": "x",
    "folder": "b",
}  # fmt: skip
TREE = ("tree/splits.yaml", "tree/TEST/*/*DEV*/*.*")
TIMIT = "--corpus timit --root tree"
MODEL = "--model model.safetensors"


def made(folder: Path) -> list[Case]:
    """Cases of what is made in a new folder."""
    folder.mkdir()
    _write_corpora(folder)
    environ["MOHAQ_CACHE"] = str(folder / "cache")
    run_training(folder / "run", folder / "tree", cell="gru", layers=1, cells=4, epochs=1)
    shutil.copy(folder / "run" / "model.safetensors", folder / "model.safetensors")
    (folder / "bits.yaml").write_text(yaml.safe_dump({"W0": [8, 8], "U0": "4x8", "FC": 8}))
    (folder / "e.yaml").write_text(EXPERIMENT)
    (folder / "h.yaml").write_text(EXPERIMENT + HARDWARE)
    (folder / "m.yaml").write_text(CAMPAIGN)
    (folder / "w.yaml").write_text(NETWORKS)
    (folder / "b.yaml").write_text(EXPERIMENT + BEACONS)
    (folder / "l.yaml").write_text(EXPERIMENT.replace("method: nsga2\n", LEARNS))
    (folder / "run/beacons/b").mkdir(parents=True)
    (folder / "run/beacons/b/beacon.json").write_text(json.dumps(BEACON))
    for line in (
        f"export {MODEL} --bits 4x8 --out out", f"retrain {MODEL} --bits 4 {TIMIT} --out again",
        "sweep w.yaml --out networks --workers 1",
        "search e.yaml --out search", "search h.yaml --out sweep", "search b.yaml --out beacons",
        "search e.yaml --generations 5 --out source",
    ):  # fmt: skip
        _done(folder, line)
    return [*_models(folder), *_tasks(folder), *_runs(folder), *_graphs(folder)]


def _done(folder: Path, line: str) -> None:
    """Do `mohaq LINE` in a folder, so that there is what it writes."""
    outcome = here(within(folder, command(line)), folder / "log")
    if outcome.code:
        raise RuntimeError(f"mohaq {line}: {outcome.output}")


def _write_corpora(folder: Path) -> None:
    """A corpus in TIMIT's layout, as small as four groups of speakers allow, and one of spoken digits."""
    speakers = {"train": ("FABC0", "MABC0")} | {
        split: tuple(f"{sex}{split.upper()}{i}" for sex in "FM" for i in (0, 1)) for split in ("dev", "test")
    }
    tops = {"train": "TRAIN", "dev": "TEST", "test": "TEST"}
    write_tree(folder / "tree", [f"{tops[split]}/DR1/{name}" for split, names in speakers.items() for name in names])
    for path in {*folder.glob("tree/*/*/*/SA*"), *folder.glob("tree/*/*/*/*.TXT")}:
        path.unlink()
    for number, path in enumerate(sorted(folder.glob("tree/TEST/*/M*/SX2.WAV"))):
        write_riff(path, tone(number))
    lists = {split: list(speakers[split]) for split in ("dev", "test")}
    (folder / "tree/splits.yaml").write_text(yaml.safe_dump(lists))
    (folder / "digits/recordings").mkdir(parents=True)
    for name in ("anna", "bert", "carl"):
        for digit in range(3):
            with wave.open(str(folder / f"digits/recordings/{digit}_{name}_0.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(tone(digit, 2000).tobytes())


def _tasks(folder: Path) -> list[Case]:
    """Wheels with data of tasks, series, operator-wise GRUs, networks for pictures, and states of their training."""
    wheel_of(folder, {PICTURES: packed(pictures())}).rename(folder / "data.whl")
    for part in ("TRAIN", "TEST"):
        path = folder / f"ts/aeon/datasets/data/BasicMotions/BasicMotions_{part}.ts"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("@timeStamps false\n@classLabel true a b\n@data\n1,2:3,4:a\n5:6:b\n7:8:a\n1:2:b\n")
    train_task(TaskRecipe("mnist-rows", cells=3, epochs=2), folder / "task", folder / "data.whl")
    shutil.copy(folder / "task/model.safetensors", folder / "operators.safetensors")
    evaluated = command("evaluate --model operators.safetensors --bits 8 --root data.whl")
    traced = command("trace --model operators.safetensors --bits 8 --root data.whl")
    train_images(ImageRecipe("images-mobilenet", epochs=1), folder / "images", folder / "data.whl")
    shutil.copy(folder / "images/model.safetensors", folder / "pictures.safetensors")
    seen = command("evaluate --model pictures.safetensors --bits 8 --root data.whl")
    seen_trace = command("trace --model pictures.safetensors --bits 8 --root data.whl")
    resumed = command("train --task mnist-rows --cells 3 --epochs 2 --root data.whl --out task --resume")
    pictures_resumed = command("train --task images-mobilenet --epochs 1 --root data.whl --out images --resume")
    series = told(lambda: TASKS["basic-motions"].load(Path("ts")))
    return [
        _case("operator-gru", folder, ("operators.safetensors",), (evaluated, traced), "data.whl"),
        _case("image training", folder, ("images/training.safetensors",), (pictures_resumed,), "data.whl"),
        _case("image-network", folder, ("pictures.safetensors",), (seen, seen_trace), "data.whl"),
        _case("wheel", folder, ("data.whl",), (evaluated,), "operators.safetensors"),
        _case("series", folder, ("ts/*/*/*/*/*.ts",), (series,), "ts/*/*/*/*/*.ts"),
        _case("task", folder, ("task/training.safetensors",), (resumed,), "data.whl"),
    ]


def _models(folder: Path) -> list[Case]:
    """Checkpoints, exports, corpora, cached features, states of trainings."""
    evaluated = command(f"evaluate {MODEL} --bits 8 {TIMIT}")
    skipping = command(f"evaluate {MODEL} --bits float --skip-bad {TIMIT}")
    retrained = command(f"retrain {MODEL} --bits 4 {TIMIT} --out again --resume")
    traced = command(f"trace {MODEL} --bits 4")
    digits = told(lambda: load_corpus(Path("digits"), "dev", skip_bad=True))
    recordings = ("tree/splits.yaml", "tree/TEST/*/*DEV*/*.WAV", "tree/TEST/*/*DEV*/*.PHN")
    model = "model.safetensors"
    return [
        _case("bits", folder, ("bits.yaml",), (command(f"trace {MODEL} --bits bits.yaml"),), model),
        _case("checkpoint", folder, (model,), (evaluated, traced), *TREE),
        _case("export", folder, ("out/*",), (command(f"evaluate --model out {TIMIT}"),), *TREE),
        _case("corpus", folder, recordings, (evaluated, skipping), model, *TREE),
        _case("digits", folder, ("digits/*/*_bert_*.wav",), (digits,), "digits/*/*"),
        _case("features", folder, ("cache/features/*.npz",), (evaluated,), model, *TREE),
        _case("training", folder, ("again/training.safetensors",), (retrained,), model, "tree/*/*/*/*", *TREE),
    ]


def _runs(folder: Path) -> list[Case]:
    """Folders of searches and sweeps, ledgers, experiments, beacons."""
    needs = ("model.safetensors", "*.yaml", "cache/features/*", *TREE)
    resumed = command("search e.yaml --out search --resume")

    def read(name: str) -> tuple[Action, ...]:
        return command("runs ."), command(f"show {name}"), command(f"report {name} --out r.html --csv r.csv")

    files = ("search/*.json", "search/run.yaml", "search/solutions/*")
    again = command("search h.yaml --out sweep --resume")
    retrained, learning = command("search b.yaml --out beacons --resume"), command("search l.yaml --out learnt")
    carried = told(lambda: stored_beacons(Path("run")))
    return [
        _case("experiment", folder, ("e.yaml",), (told(_planned),), *needs),
        _case("campaign", folder, ("m.yaml",), (told(_members),), *needs),
        _case("run", folder, files, (*read("search"), resumed), "search/*", *needs),
        _case(
            "sweep",
            folder,
            ("sweep/*.json", "sweep/run.yaml", "sweep/*.npz"),
            (*read("sweep"), again),
            "sweep/*",
            *needs,
        ),
        _case("network run", folder, ("networks/*.json", "networks/*.csv"), read("networks")[:2]),
        _case("ledger", folder, ("search/ledger.sqlite",), (resumed,), "search/*.json", *needs),
        _case("beacons", folder, ("beacons/beacons/*/*",), (retrained,), "beacons/*", "tree/*/*/*/*", *needs),
        _case("learnt from", folder, ("source/ledger.sqlite", "source/state.json"), (learning,), *needs),
        _case("beacon", folder, ("run/beacons/*/beacon.json",), (carried,)),
    ]


def _planned() -> None:
    """An experiment as far as a search goes before it computes."""
    experiment = Experiment.load("e.yaml")
    planned = plan(experiment)
    if not experiment.hardware:
        VariantSearch.of(planned, planned.hardware.variants[0])


def _members() -> None:
    """Every search of a campaign as far as it goes before it computes; of one that became a single search, nothing."""
    for member in members_of("m.yaml"):
        plan(member.experiment)


def _graphs(folder: Path) -> list[Case]:
    """Networks from files and their data, where there is the package that reads them."""
    if find_spec("onnx") is None:
        return []
    from small_network import FRAMES, small_network

    (folder / "data").mkdir()
    (folder / "data/data.yaml").write_text(DATA)
    for number in range(2):
        np.savez(folder / f"data/{number}.npz", x=FRAMES[:, ::-1] if number else FRAMES)
    (folder / "net.onnx").write_bytes(small_network().SerializeToString())
    searched = EXPERIMENT.replace("model.safetensors\ncorpus_root: tree", "net.onnx\ndata: data")
    (folder / "e.yaml").write_text(searched.replace("fixed: {FC: 8}\n", ""))
    named = "--model net.onnx --data data"
    for line in (f"export {named} --bits 4x8 --out net", f"retrain {named} --bits 4 --epochs 1 --out drawn"):
        _done(folder, line)
    evaluated, traced = command(f"evaluate {named} --bits 8"), command(f"trace {named} --bits 4")
    weighted = command(f"evaluate {named} --bits 4 --weights drawn/retrained.safetensors")
    resumed = command(f"retrain {named} --bits 4 --epochs 1 --out drawn --resume")
    needs = ("net.onnx", "data/*")
    return [
        _case("onnx", folder, ("net.onnx",), (evaluated, traced), *needs),
        _case("data", folder, ("data/*",), (evaluated,), *needs),
        _case("graph experiment", folder, ("e.yaml",), (told(_planned),), *needs),
        _case("graph export", folder, ("net/*",), (command("evaluate --model net --data data"),), *needs),
        _case("graph weights", folder, ("drawn/retrained.safetensors",), (weighted,), *needs),
        _case("graph training", folder, ("drawn/training.safetensors",), (resumed,), *needs),
    ]


def _case(name: str, base: Path, victims: tuple[str, ...], actions: tuple[Action, ...], *needs: str) -> Case:
    """A case with a folder of its own, in which nothing lies but the victims and what the actions need besides."""
    folder = base.parent / name
    for path in {path for pattern in (*victims, *needs) for path in base.glob(pattern) if path.is_file()}:
        copy = folder / path.relative_to(base)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return Case(name, folder, victims, actions)
