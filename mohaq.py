"""The command line: parses, calls one function of the library, prints.

`simulators` is all that `simulate` and `arch` import; torch and pymoo are loaded by the commands that need them.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from simulators.errors import InputError
from simulators.files import make_folder, write_whole

if TYPE_CHECKING:
    from quant import Recogniser
    from quant.recogniser import ReferenceCheck
    from search.executors.cluster import Dask
    from search.executors.executor import Inline
    from search.executors.pool import Pool

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Which bits for which layer, on which hardware, at what error, latency and energy?",
)
arch_app = typer.Typer(no_args_is_help=True, help="Architecture specs: the hardware, in YAML.")
app.add_typer(arch_app, name="arch")
out, err = Console(), Console(stderr=True)

EXTRAS = {
    "torch": "quant",
    "safetensors": "quant",
    "kaldi_native_fbank": "quant",
    "pymoo": "search",
    "matplotlib": "search",
    "plotly": "search",
    "espeakng_loader": "corpus",
    "distributed": "dask",
}

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
ModelName = Annotated[str, typer.Option("--model", help="A shipped checkpoint's name or a .safetensors file.")]
Corpus = Annotated[
    str,
    typer.Option(
        "--corpus", help="`embedded` (synthesised on first use); `timit` or `fsdd` (spoken digits) with --root."
    ),
]
Root = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of a corpus in TIMIT's layout, or of the Free Spoken Digit Dataset."),
]


WeightClipping = Annotated[
    str, typer.Option("--clipping", help="Of weights: `mse`, `max`, `percentile`, `aciq-laplace` or `aciq-gauss`.")
]
ActivationClipping = Annotated[
    str, typer.Option("--activation-clipping", help="Of activations: `mse`, `max`, `percentile` or `median`.")
]
PerChannel = Annotated[bool, typer.Option("--per-channel", help="A step for every output channel of a weight matrix.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out utterances that cannot be read, and say how many.")
]
Workload = Annotated[
    str, typer.Argument(help="A trace file (YAML or JSON), a shipped trace's name, or a SCALE-Sim topology (CSV).")
]
AllBits = Annotated[
    str | None,
    typer.Option("--bits", help="`8` or `4x8` (weights x activations) for all products, instead of the trace's own."),
]
Steps = Annotated[int | None, typer.Option("--steps", help="Frames of 10 ms, instead of the trace's own.")]
UseDask = Annotated[
    bool, typer.Option("--dask", help="Have Dask run the processes that evaluate; as many as cores by default.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="ADDRESS", help="Evaluate on the Dask cluster of this scheduler: `tcp://host:8786`."
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


@app.command(epilog="Example: `mohaq simulate mohaq-sru-4bit --arch bitfusion --set dram.bits_per_cycle=64`")
def simulate(
    trace: Workload,
    arch: Arch,
    overrides: Set = None,
    bits: AllBits = None,
    steps: Steps = None,
    model: Annotated[
        str,
        typer.Option(help="`simulated`, or `published`: the closed form of Bit Fusion's released simulator."),
    ] = "simulated",
    engine: Annotated[str, typer.Option(help="`numba` (fast) or `simpy` (the reference); equal cycles.")] = "numba",
    mapping: Annotated[
        bool, typer.Option("--mapping", help="Print tile sizes and loop order of each product.")
    ] = False,
    timeline_file: Annotated[
        str | None,
        typer.Option("--timeline", metavar="FILE", help="Write every task as a trace for ui.perfetto.dev (JSON)."),
    ] = None,
    plot_file: Annotated[
        str | None, typer.Option("--plot", metavar="FILE", help="Draw roofline and stalls (.png, .svg, .pdf).")
    ] = None,
    json_file: Json = None,
    csv_file: Csv = None,
) -> None:
    """Simulate one utterance of a trace on an architecture: cycles, stalls, energy, layer by layer."""
    from simulators import load_arch
    from simulators import simulate as run_simulation
    from simulators.display import mappings_of, print_mappings, print_report
    from simulators.published_trace import published_report
    from simulators.unlisted import unlisted_precisions
    from simulators.workload import load_workload

    for target in (plot_file, timeline_file, json_file, csv_file):
        _check_target(target, protect=trace)
    workload, spec = load_workload(trace, bits, steps), load_arch(arch, overrides or [])
    left_out: tuple[str, ...] = ()
    if model == "published":
        if engine != "numba" or mapping or timeline_file:
            raise InputError("--model published: a closed form has no --engine, --mapping or --timeline")
        published = published_report(workload, spec)
        report, left_out = published.report, published.left_out
    elif model == "simulated":
        report = run_simulation(workload, spec, engine=engine)
    else:
        raise InputError(f"--model {model}: it must be simulated or published")
    tilings = mappings_of(workload, spec) if mapping else []
    _note(unlisted_precisions(workload, [spec], model == "published"))
    if plot_file is not None:
        from simulators.plot import plot

        plot(report, plot_file)
    if timeline_file is not None:
        from simulators.timeline import timeline

        _write(timeline_file, json.dumps(timeline(workload, spec)) + "\n", protect=trace)
    if json_file is not None:
        data = report.to_dict() | ({"left_out": left_out} if model == "published" else {})
        _write(json_file, json.dumps(data, indent=1) + "\n", protect=trace)
    if csv_file is not None:
        _write(csv_file, report.to_csv(), protect=trace)
    if "-" not in (json_file, csv_file, timeline_file):
        print_report(report, out)
        if mapping:
            print_mappings(tilings, out)
        if left_out:
            names = ", ".join(left_out)
            out.print(f"Left out, for the published model knows no elementwise work: {names}", highlight=False)


@app.command(
    epilog="Example: `mohaq compare mohaq-sru-8bit --arch bitfusion --arch bitfusion-2mib "
    "--arch bitfusion,dram.bits_per_cycle=64`"
)
def compare(
    trace: Workload,
    archs: Annotated[
        list[str],
        typer.Option("--arch", help="A spec's name or file, with changes behind commas: `bitfusion,array.rows=64`."),
    ],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one value in all of them.")
    ] = None,
    bits: AllBits = None,
    steps: Steps = None,
    layers: Annotated[bool, typer.Option("--layers", help="Cycles of every layer as well.")] = False,
    json_file: Json = None,
    csv_file: Csv = None,
) -> None:
    """Put architectures side by side on one trace, with ratios to the first."""
    from simulators import comparison, load_arch
    from simulators.arch import Change
    from simulators.display import print_comparison, print_layers
    from simulators.unlisted import unlisted_precisions
    from simulators.workload import load_workload

    for target in (json_file, csv_file):
        _check_target(target, protect=trace)
    workload = load_workload(trace, bits, steps)
    variants = []
    for text in archs:
        name, *words = text.split(",")
        changes = [Change.parse(word, (f"--arch {name},{word}", 0, 0)) for word in words]
        variants.append((text, load_arch(name, [*(overrides or []), *changes])))
    compared = comparison.compare(workload, variants)
    _note(unlisted_precisions(workload, [arch for _, arch in variants]))
    if json_file is not None:
        rows = [variant.to_dict() for variant in compared]
        _write(json_file, json.dumps(rows, indent=1) + "\n", protect=trace)
    if csv_file is not None:
        _write(csv_file, comparison.to_csv(compared), protect=trace)
    if "-" not in (json_file, csv_file):
        print_comparison(compared, out)
        if layers:
            print_layers(compared, out)


@arch_app.command("list", epilog="Example: `mohaq arch list`")
def arch_list() -> None:
    """Shipped architecture specs."""
    from simulators import arch_names, load_arch
    from simulators.specs import precisions_shown

    table = Table("name", "bits (weights x activations)", "description", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in arch_names():
        spec = load_arch(name)
        table.add_row(name, precisions_shown(spec.precisions), spec.description)
    out.print(table)


@arch_app.command("show", epilog="Example: `mohaq arch show bitfusion --set array.rows=64`")
def arch_show(
    name: Annotated[str, typer.Argument(help="A shipped spec's name or a YAML file.")], overrides: Set = None
) -> None:
    """Print a spec with `extends` and `--set` resolved, and its area."""
    from simulators import load_arch
    from simulators.area import area_mm2

    arch = load_arch(name, overrides or [])
    print(arch.to_yaml(), end="")
    if arch.spec.area_parts_mm2() is not None:
        parts = area_mm2(arch)
        shown = ", ".join(f"{part.replace('_', ' ')} {x:.3g}" for part, x in parts.items())
        print(f"# area {sum(parts.values()):.3g} mm2: {shown}")


@arch_app.command("check", epilog="Example: `mohaq arch check my-variant.yaml`")
def arch_check(files: Annotated[list[str], typer.Argument(help="Spec files or shipped names.")]) -> None:
    """Check specs: one line for each, exit code 2 if any is bad."""
    from simulators import load_arch

    bad = 0
    for name in files:
        try:
            spec = load_arch(name)
        except InputError as error:
            bad += 1
            err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        else:
            print(f"{name}: ok ({spec.platform})")
    if bad:
        raise typer.Exit(2)


@app.command(
    epilog="Example: `mohaq evaluate --bits L0=8x8,P1=4x8,L1=4x4,P2=4x8,L2=4x4,P3=4x8,L3=4x4,FC=4x8 --split test`"
)
def evaluate(
    bits: Annotated[str, Bits.__metadata__[0]] = "",
    model: ModelName = "sru",
    corpus: Corpus = "embedded",
    root: Root = None,
    split: Annotated[str, typer.Option(help="`dev`, `test` or `train`.")] = "dev",
    clipping: WeightClipping = "mse",
    activation_clipping: ActivationClipping = "mse",
    per_channel: PerChannel = False,
    skip_bad: SkipBad = False,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Only every N-th utterance.")] = 1,
    integer: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The first N utterances by whole numbers alone, beside the fast path."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Phone error rate of a model at given bit-widths; `--bits float` is the unquantized model. An exported model's
    folder needs no bits."""
    exported = (Path(model) / "model.json").is_file()
    if not (bits or exported):
        raise InputError("--bits: missing: a width such as 8, weights x activations such as 4x8, or float")
    if exported:
        from quant.export import load_export

        candidate: dict[str, tuple[int, int]] | None
        if bits:
            raise InputError(f"--bits {bits}: {model} is an exported model: its bits are in its model.json")
        if per_channel or (clipping, activation_clipping) != ("mse", "mse"):
            raise InputError(f"--clipping: {model} is an exported model: what it clips is in its model.json")
        recogniser, candidate = load_export(Path(model), _corpus_root(corpus, root), skip_bad=skip_bad, every=every)
    else:
        recogniser = _load(model, corpus, root, clipping, activation_clipping, per_channel, skip_bad, every)
        candidate = None if bits == "float" else recogniser.parse_bits(bits)
    if integer is not None:
        if candidate is None:
            raise InputError("--integer: the unquantized model has no integers")
        _print_reference(recogniser.evaluate_reference(candidate, integer, split))
        return
    rate = recogniser.evaluate(candidate, split=split)
    if recogniser.skipped:
        first = recogniser.skipped[0]
        err.print(f"{len(recogniser.skipped)} utterances skipped; the first: {first}", highlight=False, markup=False)
    if as_json:
        print(json.dumps(rate.to_dict()))
    else:
        subsets = ", ".join(f"{x:.2f}" for x in rate.subsets)
        out.print(
            f"{split}: {recogniser.unit} error rate {rate.error:.2f} % ({rate.substitutions} substitutions, "
            f"{rate.insertions} insertions, {rate.deletions} deletions of {rate.reference_phones} {recogniser.unit}s); "
            f"worst of 4 groups {rate.error_max:.2f} % ({subsets})",
            highlight=False,
            soft_wrap=True,
        )


@app.command(epilog="Example: `mohaq delta --model gru --bits 4 --thresholds 0,1,2 --csv delta.csv`")
def delta(
    bits: Bits,
    model: ModelName = "gru",
    thresholds: Annotated[
        str, typer.Option(help="Values to combine for layer inputs (x) and recurrent inputs (h), in activation codes.")
    ] = "0,1,2",
    fc: Annotated[int | None, typer.Option(min=0, help="Threshold of the output layer; default: as x.")] = None,
    corpus: Corpus = "embedded",
    root: Root = None,
    split: Annotated[str, typer.Option(help="`dev` or `test`.")] = "dev",
    csv_file: Csv = None,
    trace_file: Annotated[
        Path | None,
        typer.Option("--trace", help="Write the trace of an utterance at the last thresholds, activity step by step."),
    ] = None,
    utterance: Annotated[int, typer.Option(min=0, help="Of --trace, counted from 0.")] = 0,
) -> None:
    """Sweep thresholds of a delta network: error rate against eliminated operations."""
    from rich.progress import Progress

    from quant.delta_sweep import combinations, sweep, to_csv

    recogniser = _load(model, corpus, root)
    candidate = recogniser.parse_bits(bits)
    try:
        values = [int(word) for word in thresholds.split(",")]
    except ValueError:
        raise InputError(f"--thresholds {thresholds}: they must be whole numbers, as in 0,1,2") from None
    if min(values) < 0:
        raise InputError(f"--thresholds {thresholds}: they must be at least 0")
    recogniser.utterances(split)  # a corpus that cannot be read is said before the bar begins
    with Progress(console=err, transient=True) as progress:
        swept = sweep(recogniser, candidate, values, fc, split)
        points = list(progress.track(swept, len(combinations(recogniser, values)), description="delta"))
    if csv_file is not None:
        _write(csv_file, to_csv(points), protect="")
    if trace_file is not None:
        recogniser.trace_delta(candidate, points[-1].thresholds, utterance, split).save(trace_file)
    if csv_file != "-":
        names = [site.name for site in recogniser.sites]
        table = Table("x", "h", "FC", "error %", "eliminated %", f"transmitted %: {' '.join(names)}", box=SIMPLE_HEAD)
        for point in points:
            found = point.found
            table.add_row(
                str(point.x), "-" if point.h is None else str(point.h), str(point.fc), f"{found.rate.error:.2f}",
                f"{100 * found.eliminated:.1f}", " ".join(f"{100 * found.active[name]:.0f}" for name in names),
            )  # fmt: skip
        out.print(table)


@app.command(epilog="Example: `mohaq trace --bits 4x8 --out sru-4x8.yaml`")
def trace(
    bits: Bits,
    model: ModelName = "sru",
    steps: Annotated[int, typer.Option(help="Frames of 10 ms.")] = 300,
    output: Annotated[
        Path | None, typer.Option("--out", help="A .yaml or .json file; standard output without it.")
    ] = None,
) -> None:
    """Write the layer trace of a model at given bit-widths: what `mohaq simulate` reads."""
    recogniser = _load(model, "embedded", None)
    result = recogniser.trace(recogniser.parse_bits(bits), steps)
    if output is None:
        print(result.to_yaml(), end="")
    else:
        result.save(output)
        out.print(
            f"{output}: {len(result.layers)} layers, {result.weight_bits_total / 8 / 2**20:.2f} MiB", highlight=False
        )


@app.command(epilog="Example: `mohaq export --bits 4x8 --out sru-4x8`, then `mohaq evaluate --model sru-4x8`")
def export(
    bits: Bits,
    output: Annotated[Path, typer.Option("--out", help="Folder for model.safetensors and model.json.")],
    model: ModelName = "sru",
    clipping: WeightClipping = "mse",
    activation_clipping: ActivationClipping = "mse",
    per_channel: PerChannel = False,
) -> None:
    """Write a quantized model: integer weights, scales and the candidate."""
    from quant.export import export as write_export

    recogniser = _load(model, "embedded", None, clipping, activation_clipping, per_channel)
    write_export(recogniser, recogniser.parse_bits(bits), output)
    out.print(f"{output}: model.safetensors and model.json", highlight=False)


@app.command(epilog="Example: `mohaq train --out runs/my-sru --epochs 14`; again with `--resume` after an interruption")
def train(
    output: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder of the run: its state after each epoch, the log, and model.safetensors at the end."
        ),
    ],
    cell: Annotated[str, typer.Option(help="`sru`, `lstm`, `gru` or `ligru`.")] = "sru",
    layers: Annotated[int | None, typer.Option(min=1, help="Default: the published number.")] = None,
    cells: Annotated[int | None, typer.Option(min=1, help="Cells of a layer and direction; default: 550.")] = None,
    corpus: Corpus = "embedded",
    root: Root = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Of the weights, the batches and the dropout.")] = 1,
    start: Annotated[
        str | None,
        typer.Option(
            help="A model to train on from, in its sizes; its output layer is kept if the units are the same."
        ),
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="The small model that the tests use: seconds, not minutes.")
    ] = False,
    skip_bad: SkipBad = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Train a speech recogniser, calibrate it, and write its checkpoint and card."""
    from quant.training_run import run_training

    path = run_training(
        output, _corpus_root(corpus, root), cell=cell, layers=layers, cells=cells, epochs=epochs, seed=seed,
        small=small, resume=resume, start=start, skip_bad=skip_bad, console=err,
    )  # fmt: skip
    out.print(f"checkpoint: {path}", highlight=False)


@app.command(
    epilog="Example: `mohaq retrain --bits 2 --out runs/sru-2bit --epochs 2`; again with `--resume` if stopped"
)
def retrain(
    bits: Bits,
    output: Annotated[Path, typer.Option("--out", help="Folder of the run: its state, and retrained.safetensors.")],
    model: ModelName = "sru",
    corpus: Corpus = "embedded",
    root: Root = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training set.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Peak of the schedule.")] = 5e-4,
    seed: Annotated[int, typer.Option(help="Of batches and dropout.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Retrain a model for given bit-widths, full-precision weights under quantized ones."""
    from quant import load_model
    from quant.retrain import recipe_of
    from quant.retrain import retrain as run_retraining
    from quant.training_run import training_progress

    recogniser = _load(model, corpus, root)
    candidate = recogniser.parse_bits(bits)
    recipe_of(recogniser.checkpoint, epochs, learning_rate, seed)  # what cannot be is said before it costs minutes
    make_folder(output)
    before = recogniser.evaluate(candidate)
    training = recogniser.utterances("train")
    with training_progress(epochs, err) as (_, on_step):
        path = run_retraining(
            recogniser.checkpoint, candidate, training, output, epochs=epochs, learning_rate=learning_rate, seed=seed,
            resume=resume, on_step=on_step,
        )  # fmt: skip
    after = load_model(path, corpus_root=_corpus_root(corpus, root)).evaluate(candidate)
    out.print(
        f"{path}: {recogniser.unit} error rate {before.error:.2f} % before, {after.error:.2f} % after (dev)",
        highlight=False,
    )


@app.command(
    epilog="Example: `mohaq search experiments/demo.yaml --out runs/demo`; again with `--resume` after an interruption"
)
def search(
    experiment: Annotated[str, typer.Argument(help="An experiment file, or a shipped experiment's name.")],
    output: Annotated[Path, typer.Option("--out", help="Folder of the run; new or empty unless --resume.")],
    arch: Annotated[str | None, typer.Option("--arch", help="Another architecture than the experiment's.")] = None,
    overrides: Set = None,
    generations: Annotated[int | None, typer.Option(help="Another number of generations.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Evaluate in so many processes, one thread each, instead of in this one.")
    ] = None,
    dask: UseDask = False,
    scheduler: Scheduler = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Search bit-widths per layer: error from the model, latency and energy from the simulator."""
    from search import Experiment, run
    from search.display import SearchDisplay, print_front

    changes = {"arch": arch, "set": overrides, "generations": generations, "seed": seed}
    settings = Experiment.load(experiment, {key: value for key, value in changes.items() if value is not None})
    with _executor(workers, dask, scheduler) as executor, SearchDisplay() as display:
        if settings.hardware:
            from search.codesign.display import print_sweep
            from search.codesign.genes import search_hardware

            found = search_hardware(settings, output, resume=resume, progress=display, executor=executor)
            print_sweep(found)
            return
        result = run(settings, output, resume=resume, progress=display, executor=executor)
    print_front(result)


@app.command(
    epilog="Example: `mohaq sweep experiments/sweep-bitfusion.yaml --out runs/sweep`; again with `--resume` if stopped"
)
def sweep(
    experiment: Annotated[str, typer.Argument(help="An experiment file with `hardware:`, or a shipped one's name.")],
    output: Annotated[Path, typer.Option("--out", help="Folder of the sweep; new or empty unless --resume.")],
    candidates: Annotated[
        str | None, typer.Option("--candidates", help="Folder of a search whose front takes the place of the file's.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes, of two kinds, one after the other: so many evaluate errors, a thread each (default: this "
            "one alone), then so many simulate variants (default: one a core)."
        ),
    ] = None,
    dask: UseDask = False,
    scheduler: Scheduler = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the sweep in the folder.")] = False,
) -> None:
    """Put bit-widths on many variants of hardware: the joint front over error, latency, energy and area."""
    from search import Experiment
    from search.codesign.display import SweepDisplay, print_sweep
    from search.codesign.sweep import sweep as run_sweep

    settings = Experiment.load(experiment, {} if candidates is None else {"candidates": candidates})
    with _executor(workers, dask, scheduler) as executor, SweepDisplay() as display:
        result = run_sweep(settings, output, resume=resume, progress=display, executor=executor, workers=workers)
    print_sweep(result)


@app.command(epilog="Example: `mohaq runs`")
def runs(folder: Annotated[Path, typer.Argument(help="Where to look, folders below included.")] = Path("runs")) -> None:
    """List the searches and sweeps in a folder: how far they came, and what they found."""
    from search.display import print_runs
    from search.stored import find_runs

    print_runs(find_runs(folder))


@app.command(epilog="Example: `mohaq show runs/demo`")
def show(folder: Annotated[Path, typer.Argument(help="The folder of a finished search or sweep.")]) -> None:
    """Print the front of a search or a sweep again."""
    from search import display
    from search.codesign import display as codesign_display
    from search.stored import load_run

    found = load_run(folder)
    if found.foreign:
        raise InputError(f"{folder}: another version of mohaq wrote its results")
    if found.results is None:
        raise InputError(f"{folder}: the run is not finished: its command with --resume continues it")
    (codesign_display if found.is_codesign else display).print_results(found.results, folder)


@app.command(epilog="Example: `mohaq report runs/demo --out report.html`; `mohaq report runs/sweep --out sweep.html`")
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished searches and sweeps.")],
    output: Annotated[Path, typer.Option("--out", help="The page: one HTML file that needs no network.")],
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw fronts and hypervolume.")] = None,
    table: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write every point.")] = None,
) -> None:
    """Make a page of searches and sweeps: fronts to filter and click, variants of hardware, hypervolume, closed form
    and simulation."""
    from search.report.page import write_report

    made = write_report(folders, output, png, table)
    points = sum(len(run.points) for run in made.runs)
    names = ", ".join(run.label for run in made.runs)
    out.print(f"{output}: {names}; {points:,} points", highlight=False, soft_wrap=True)


def _executor(workers: int | None, dask: bool, scheduler: str | None) -> "Inline | Pool | Dask":
    """Where a search or a sweep evaluates candidates."""
    if scheduler is not None or dask:
        from search.executors.cluster import Dask

        if scheduler is not None and (dask or workers is not None):
            raise InputError(f"--scheduler {scheduler}: that cluster has its workers: leave out --workers and --dask")
        return (
            Dask(scheduler=scheduler)
            if scheduler is not None
            else Dask(workers=workers if workers is not None else os.cpu_count())
        )
    if workers is not None:
        from search.executors.pool import Pool

        return Pool(workers)
    from search.executors.executor import Inline

    return Inline()


def _print_reference(found: "ReferenceCheck") -> None:
    out.print(
        f"error rate {found.reference_error:.2f} % in whole numbers alone, {found.fast_error:.2f} % by the fast "
        f"path; the likeliest state is the same in {100 * found.agreement:.1f} % of frames",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    taken = ", ".join(f"{site} {bits}" for site, bits in found.accumulator_bits.items())
    out.print(f"accumulator bits taken: {taken}", highlight=False, soft_wrap=True)


def _load(
    model: str,
    corpus: str,
    root: Path | None,
    clipping: str = "mse",
    activation_clipping: str = "mse",
    per_channel: bool = False,
    skip_bad: bool = False,
    every: int = 1,
) -> "Recogniser":
    from quant import Scheme, load_model

    scheme = Scheme(clipping, activation_clipping, per_channel)
    return load_model(model, _corpus_root(corpus, root), scheme, skip_bad, every)


def _corpus_root(corpus: str, root: Path | None) -> Path | None:
    """None is the embedded corpus, made when first needed."""
    if corpus == "embedded" and root is None:
        return None
    if corpus in ("timit", "fsdd") and root is not None:
        from quant.speech.digits import FOLDER, is_digits

        if is_digits(root) != (corpus == "fsdd"):
            found = f"holds {FOLDER}/, as --corpus fsdd does" if is_digits(root) else f"has no folder {FOLDER}/"
            raise InputError(f"--corpus {corpus} --root {root}: it {found}")
        return root
    raise InputError(
        f"--corpus {corpus}"
        + (f" --root {root}" if root else "")
        + ": it must be `--corpus embedded`, or `--corpus timit` or `fsdd` with --root FOLDER"
    )


def _note(lines: list[str]) -> None:
    """What a user should know beside the results, which may go to a program."""
    for line in lines:
        err.print(f"mohaq: {line}", markup=False, highlight=False, soft_wrap=True)


def _check_target(target: str | None, protect: str) -> None:
    """Before anything is computed: one file that cannot be written leaves none of the others."""
    if target is None or target == "-":
        return
    path = Path(target)
    if os.path.isdir(path):
        raise InputError(f"{target}: it is a folder, and a file is wanted")
    if os.path.exists(path) and path.resolve() == Path(protect).resolve():
        raise InputError(f"{target}: the report would overwrite the trace")
    if not os.path.isdir(path.parent):
        raise InputError(f"{target}: cannot be written: there is no folder {path.parent}")


def _write(target: str, text: str, protect: str) -> None:
    if target == "-":
        sys.stdout.write(text)
        return
    _check_target(target, protect)
    try:
        write_whole(Path(target), text.encode())
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None


def _with_optional_files(arguments: list[str]) -> list[str]:
    """`--json` and `--csv` of `simulate` and `compare` may stand without a file: give them `-`, standard output."""
    if arguments[:1] not in (["simulate"], ["compare"]):
        return arguments
    completed: list[str] = []
    for i, argument in enumerate(arguments):
        completed.append(argument)
        if argument in ("--json", "--csv"):
            following = arguments[i + 1] if i + 1 < len(arguments) else "--"
            if following.startswith("-") and following != "-":
                completed.append("-")
    return completed


INTERRUPTED = 130


def main() -> None:
    """Entry point: whatever a user can mend is one line on standard error and exit code 2."""
    try:
        code = app(_with_optional_files(sys.argv[1:]), standalone_mode=False)
        if code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            raise KeyboardInterrupt
    except InputError as error:
        code = _complain(str(error))
    except BrokenPipeError:  # the reader of our output has gone: `mohaq arch show … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        code = _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        code = _complain(f"this command needs {error.name}: pip install 'mohaq[{EXTRAS[error.name]}]'")
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("interrupted; a search or a training continues with --resume", INTERRUPTED)
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer raises for arguments that it cannot use
            raise
        text = error.format_message()  # empty where no command was given and the help was shown
        code = _complain(f"{text} Try --help.") if text else 2
    sys.exit(code)


def _complain(text: str, code: int = 2) -> int:
    err.print(f"mohaq: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
    return code


if __name__ == "__main__":
    main()
