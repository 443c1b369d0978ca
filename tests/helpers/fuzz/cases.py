"""What is damaged: small folders that are read well, and the commands that read them."""

import io
import json
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from os import chdir, environ
from pathlib import Path

import numpy as np
import yaml
from paths import ROOT

import mohaq as command_line
from fuzz.server import Action
from search.codesign.network_sweep import network_sweep_of
from simulators import InputError

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
MASKED = """\
name: masked
steps: 3
layers:
- {name: W0, op: matmul, out_features: 48, in_features: 8, weight_bits: 8, activation_bits: 16, output_bits: 16, active: m.npz}
- {name: U0, op: matmul, out_features: 48, in_features: 16, recurrent: true, weight_bits: 8, activation_bits: 16,
   output_bits: 16, active: ["0", ffff, "8001"]}
- {name: E0, op: elementwise, ops: {sigmoid: 32, multiply: 48}, inputs: 96, outputs: 16, recurrent: true}
"""
NETWORKS = """\
name: networks
networks: [n.yaml]
arch: epiphany-e16
weight_bits: [1, 8, 32]
activation_bits: 16
variants: {"4 cores": ["mesh.rows=2", "mesh.columns=2"], "16 cores": []}
grid: {memory.total_kib: [32, 64]}
"""
CONVOLUTION = """\
name: n
steps: 1
layers:
- {name: c, op: conv2d, in_channels: 4, out_channels: 8, kernel: [3, 3], input_size: [8, 8],
   padding: [1, 1], weight_bits: 8, activation_bits: 8, output_bits: 16}
"""
PLUGIN = """\
\"\"\"Nothing but numbers, whatever becomes of it.\"\"\"
LIMITS = {"a": [1, 2.5, -3], "b": (4, 0x5)}
NAMES = "x", b"y", f"{1 + 2:>3}"
"""
SET = (
    "array.rows=64", "dram.pj_per_bit=1.5", "precisions=[[8,8]]", "frequency_mhz=100", "buffers.input_kib=8", "name=x",
    "array={rows: 8}", "mapping=[{tile: 1}]",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A folder, the files in it that are damaged, and what reads them."""

    name: str
    folder: Path
    victims: tuple[str, ...]
    """Patterns of files; of `--set` none, for arguments are damaged."""
    actions: tuple[Action, ...]
    """Done in a copy of the folder, each by itself."""
    stays: bool = False
    """Whether what they do stays in a process, and would be in what is done there after them."""

    @property
    def files(self) -> list[Path]:
        """What is damaged, from the folder."""
        found = [path for pattern in self.victims for path in sorted(self.folder.glob(pattern))]
        return [path.relative_to(self.folder) for path in found]


def command(line: str) -> Action:
    """`mohaq LINE`."""
    return arguments(*shlex.split(line))


def arguments(*words: str) -> Action:
    """`mohaq WORDS`."""

    def act() -> None:
        sys.argv = ["mohaq", *words]
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

    def act() -> None:
        try:
            function()
        except InputError as error:
            print(error)
            sys.exit(2)

    return act


def simulated(folder: Path) -> list[Case]:
    """Traces, topologies, specs and `--set`."""
    folder.mkdir()
    (folder / "t.yaml").write_text(TRACE)
    (folder / "t.json").write_text(json.dumps(yaml.safe_load(TRACE)))
    content = io.BytesIO()
    np.savez_compressed(content, fc=np.linspace(0.0, 1.0, 10), allow_pickle=False)
    (folder / "s.npz").write_bytes(content.getvalue())
    (folder / "c.csv").write_text(TOPOLOGY)
    for name, spec in (("base", "bitfusion"), ("silago", "silago")):
        shutil.copy(ROOT / "arch_specs" / f"{spec}.yaml", folder / f"{name}.yaml")
    for name, content in {"m.yaml": MASKED, "w.yaml": NETWORKS, "n.yaml": CONVOLUTION, "p.py": PLUGIN}.items():
        (folder / name).write_text(content)
    np.savez_compressed(folder / "m.npz", W0=np.array([[255], [0], [129]], np.uint8))
    others = ("edgedrnn", "bit-serial-edge", "epiphany-e16")
    for name in others:
        shutil.copy(ROOT / "arch_specs" / f"{name}.yaml", folder)
    (folder / "a.yaml").write_text("extends: base.yaml\nname: mine\narray: {rows: 8}\n")

    def of(trace: str, arch: str) -> Action:
        return command(f"simulate {trace} --arch {arch} --json o.json --csv o.csv")

    traces = tuple(of(f"t.{kind}", arch) for kind in ("yaml", "json") for arch in ("bitfusion", "silago"))
    specs = (of("t.yaml", "a.yaml"), of("t.yaml", "silago.yaml"))
    checks = (command("arch check a.yaml silago.yaml"), command("arch show a.yaml"))
    return [
        Case("trace", folder, ("t.yaml", "t.json"), traces),
        Case("sidecar", folder, ("s.npz",), traces[:1]),
        Case("spec", folder, ("a.yaml", "base.yaml", "silago.yaml"), (*specs, *checks)),
        Case("topology", folder, ("c.csv",), (of("c.csv --bits 8", "bitfusion"),)),
        Case("masks", folder, ("m.yaml", "m.npz"), (of("m.yaml", "edgedrnn"), of("m.yaml", "bitfusion"))),
        Case(
            "platforms",
            folder,
            tuple(f"{name}.yaml" for name in others),
            tuple(of("m.yaml" if name == "edgedrnn" else "n.yaml", f"{name}.yaml") for name in others),
        ),
        Case("networks", folder, ("w.yaml", "n.yaml"), (told(_points),)),
        Case("plugin", folder, ("p.py",), (command("arch show bitfusion --plugin p.py"),), stays=True),
        Case("set", folder, (), ()),
    ]


def _points() -> None:
    """A sweep of networks as far as its figures."""
    sweep = network_sweep_of("w.yaml")
    if sweep is not None:
        sweep.points()
