"""What is damaged: small folders that are read well, and the commands that read them."""

import io
import shutil
import sys
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import chdir, environ
from pathlib import Path

import numpy as np
import yaml
from paths import ROOT
from timit_tree import tone, write_riff, write_tree

import mohaq as command_line
from fuzz.server import Action

TRACE = """\
name: t
steps: 10
layers:
- {name: fc, op: matmul, out_features: 8, in_features: 4, weight_bits: 8, activation_bits: 8, output_bits: 8, active: s.npz}
- {name: one, op: matmul, out_features: 8, in_features: 8, weight_bits: 8, activation_bits: 8, output_bits: 8, active: 0.5}
- {name: act, op: elementwise, ops: {add: 8, sigmoid: 8}, inputs: 8, outputs: 8, output_bits: 16}
"""
TOPOLOGY = """\
Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,Sparsity,
Conv1,16,16,3,3,3,8,1,2:4,
Conv2,14,14,3,3,8,8,2,1:1,
"""
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
HARDWARE = "hardware: {archs: [bitfusion], grid: {array.rows: [8, 16]}, list: [{array.columns: 8}]}\n"
SPEAKERS = {
    "train": ["FABC0", "MABC0"],
    "dev": ["FDEV0", "MDEV0", "FDEV1", "MDEV1"],
    "test": ["FTST0", "MTST0", "FTST1", "MTST1"],
}
SET = (
    "array.rows=64", "dram.pj_per_bit=1.5", "precisions=[[8,8]]", "frequency_mhz=100", "buffers.input_kib=8", "name=x",
    "array={rows: 8}", "mapping=[{tile: 1}]",
)  # fmt: skip


def command(*arguments: str) -> Action:
    """`mohaq ARGUMENTS`."""

    def act() -> None:
        sys.argv = ["mohaq", *arguments]
        command_line.main()

    return act


def within(folder: Path, action: Action) -> Action:
    """An action in a folder, with the cache that lies there."""

    def act() -> None:
        chdir(folder)
        environ["MOHAQ_CACHE"] = str(folder / "cache")
        action()

    return act


def told(function: Callable[[], object]) -> Action:
    """A function of the library as a command: what is refused is one line and exit code 2."""
    from simulators import InputError

    def act() -> None:
        try:
            function()
        except InputError as error:
            print(error)
            sys.exit(2)

    return act


@dataclass(frozen=True)
class Case:
    """A folder, the files in it that are damaged, and what reads them."""

    name: str
    folder: Path
    victims: tuple[str, ...]
    """Patterns of files; with `--set`, none: arguments are damaged."""
    actions: tuple[Action, ...]
    """Done in a copy of the folder, each by itself."""

    @property
    def files(self) -> list[Path]:
        """What is damaged, from the folder."""
        found = [path for pattern in self.victims for path in sorted(self.folder.glob(pattern))]
        return [path.relative_to(self.folder) for path in found]


def planned() -> None:
    """An experiment as far as a search goes before it computes."""
    from search import Experiment
    from search.runs.driver import VariantSearch
    from search.runs.session import plan

    experiment = Experiment.load("e.yaml")
    made = plan(experiment)
    if not experiment.hardware:
        VariantSearch.of(made, made.hardware.variants[0])


def digits_read() -> None:
    """A split of spoken digits."""
    from quant.speech.corpus import load_corpus

    load_corpus(Path("digits"), "dev", skip_bad=True)


def carried() -> None:
    """The beacons of another run."""
    from search.evaluation.beacon_files import stored_beacons

    stored_beacons(Path("run"))


def _simulated(folder: Path) -> list[Case]:
    """Traces, topologies and specs."""
    folder.mkdir()
    (folder / "t.yaml").write_text(TRACE)
    import json

    (folder / "t.json").write_text(json.dumps(yaml.safe_load(TRACE)))
    content = io.BytesIO()
    np.savez_compressed(content, fc=np.linspace(0.0, 1.0, 10), allow_pickle=False)
    (folder / "s.npz").write_bytes(content.getvalue())
    (folder / "c.csv").write_text(TOPOLOGY)
    shutil.copy(ROOT / "arch_specs" / "bitfusion.yaml", folder / "base.yaml")
    shutil.copy(ROOT / "arch_specs" / "silago.yaml", folder / "silago.yaml")
    (folder / "a.yaml").write_text("extends: base.yaml\nname: mine\narray: {rows: 8}\n")
    both = ("--json", "o.json", "--csv", "o.csv")
    of_trace = [
        command("simulate", f"t.{kind}", "--arch", arch, *both)
        for kind in ("yaml", "json")
        for arch in ("bitfusion", "silago")
    ]
    of_spec = [command("simulate", "t.yaml", "--arch", f"{name}.yaml", *both) for name in ("a", "silago")]
    shown = [command("arch", "check", "a.yaml", "silago.yaml"), command("arch", "show", "a.yaml")]
    return [
        Case("trace", folder, ("t.yaml", "t.json"), tuple(of_trace)),
        Case("sidecar", folder, ("s.npz",), (of_trace[0],)),
        Case("spec", folder, ("a.yaml", "base.yaml", "silago.yaml"), (*of_spec, *shown)),
        Case(
            "topology", folder, ("c.csv",), (command("simulate", "c.csv", "--bits", "8", "--arch", "bitfusion", *both),)
        ),
        Case("set", folder, (), ()),
    ]


def _trained(folder: Path) -> list[Case]:
    """Corpora, checkpoints, exports, states of trainings, cached features."""
    from quant.runs.training_run import run_training

    tree = folder / "tree"
    speakers = [
        f"{'TRAIN' if split == 'train' else 'TEST'}/DR1/{name}" for split, names in SPEAKERS.items() for name in names
    ]
    write_tree(tree, speakers)
    for number, path in enumerate(sorted(tree.glob("TEST/*/*V1/SX2.WAV"))):
        write_riff(path, tone(number))
    (tree / "splits.yaml").write_text(yaml.safe_dump({split: SPEAKERS[split] for split in ("dev", "test")}))
    digits = folder / "digits" / "recordings"
    digits.mkdir(parents=True)
    for name in ("anna", "bert", "carl"):
        for digit in range(3):
            with wave.open(str(digits / f"{digit}_{name}_0.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(tone(digit, 2000).tobytes())
    environ["MOHAQ_CACHE"] = str(folder / "cache")
    run_training(folder / "run", tree, cell="gru", layers=1, cells=4, epochs=1)
    shutil.copy(folder / "run" / "model.safetensors", folder / "model.safetensors")
    (folder / "bits.yaml").write_text(yaml.safe_dump({"W0": [8, 8], "U0": "4x8", "FC": 8}))
    _done(folder, "export", "--model", "model.safetensors", "--bits", "4x8", "--out", "out")
    _done(
        folder,
        "retrain",
        "--model",
        "model.safetensors",
        "--bits",
        "4",
        "--corpus",
        "timit",
        "--root",
        "tree",
        "--out",
        "again",
    )
    timit = ("--corpus", "timit", "--root", "tree", "--split", "dev")
    evaluated = command("evaluate", "--model", "model.safetensors", "--bits", "8", *timit)
    skipping = command("evaluate", "--model", "model.safetensors", "--bits", "float", "--skip-bad", *timit)
    retrained = command(
        "retrain", "--model", "model.safetensors", "--bits", "4", "--corpus", "timit", "--root", "tree", "--out", "again", "--resume",
    )  # fmt: skip
    return [
        Case(
            "bits", folder, ("bits.yaml",), (command("trace", "--model", "model.safetensors", "--bits", "bits.yaml"),)
        ),
        Case(
            "checkpoint",
            folder,
            ("model.safetensors",),
            (evaluated, command("trace", "--model", "model.safetensors", "--bits", "4")),
        ),
        Case("export", folder, ("out/*",), (command("evaluate", "--model", "out", *timit),)),
        Case(
            "corpus",
            folder,
            ("tree/splits.yaml", "tree/TEST/*/*DEV*/S[XI]*.WAV", "tree/TEST/*/*DEV*/S[XI]*.PHN"),
            (evaluated, skipping),
        ),
        Case("digits", folder, ("digits/*/*_bert_*.wav",), (told(digits_read),)),
        Case("features", folder, ("cache/features/*.npz",), (evaluated,)),
        Case("training", folder, ("again/training.safetensors",), (retrained,)),
    ]


def _searched(folder: Path) -> list[Case]:
    """Runs of searches and sweeps, ledgers, experiments; `folder` has a model and a corpus."""
    (folder / "e.yaml").write_text(EXPERIMENT)
    (folder / "h.yaml").write_text(EXPERIMENT + HARDWARE)
    _done(folder, "search", "e.yaml", "--out", "search")
    _done(folder, "search", "h.yaml", "--out", "sweep")
    resumed = command("search", "e.yaml", "--out", "search", "--resume")
    resumed_sweep = command("search", "h.yaml", "--out", "sweep", "--resume")
    beacon = folder / "run" / "beacons" / "b"
    beacon.mkdir(parents=True)
    description = {
        "bits": {"W0": [4, 4]},
        "of": "m",
        "data": "d",
        "code": "c",
        "epochs": 1,
        "learning_rate": 0.1,
        "digest": "x",
        "folder": "b",
    }
    import json

    (beacon / "beacon.json").write_text(json.dumps(description))

    def shown(name: str) -> tuple[Action, ...]:
        return command("runs", "."), command("show", name), command("report", name, "--out", "r.html", "--csv", "r.csv")

    return [
        Case("experiment", folder, ("e.yaml",), (told(planned),)),
        Case("run", folder, ("search/*.json", "search/run.yaml", "search/solutions/*"), (*shown("search"), resumed)),
        Case("sweep", folder, ("sweep/*.json", "sweep/run.yaml", "sweep/*.npz"), (*shown("sweep"), resumed_sweep)),
        Case("ledger", folder, ("search/ledger.sqlite",), (resumed,)),
        Case("beacon", folder, ("run/beacons/*/beacon.json",), (told(carried),)),
    ]


def _done(folder: Path, *arguments: str) -> None:
    """Run a command that must succeed, in a process of its own: this one stays without threads."""
    import subprocess

    settings = {**environ, "MOHAQ_CACHE": str(folder / "cache")}
    result = subprocess.run(
        [sys.executable, "-m", "mohaq", *arguments], cwd=folder, env=settings, capture_output=True, text=True
    )
    if result.returncode:
        raise RuntimeError(f"mohaq {' '.join(arguments)}: {result.stderr}")


def all_cases(folder: Path, names: Sequence[str]) -> list[Case]:
    """The cases of these names, or all, in a new folder."""
    found = _simulated(folder / "simulated")
    if not names or {*names} - {case.name for case in found}:
        trained = folder / "trained"
        trained.mkdir()
        found += [*_trained(trained), *_searched(trained)]
    return [case for case in found if not names or case.name in names]
