"""The command line: parses, calls one function of the library, prints.

`simulators` is all that `simulate` and `arch` import; torch and pymoo are loaded by the commands that need them.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from simulators.errors import InputError

if TYPE_CHECKING:
    from quant import Recogniser
    from simulators import Report

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
    "espeakng_loader": "corpus",
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
        "or a JSON or YAML file of that.",
    ),
]
ModelName = Annotated[str, typer.Option("--model", help="A shipped checkpoint's name or a .safetensors file.")]
Corpus = Annotated[str, typer.Option("--corpus", help="`embedded` (synthesised on first use), or `timit` with --root.")]
Root = Annotated[
    Path | None, typer.Option("--root", help="Folder of a corpus in TIMIT's layout, for `--corpus timit`.")
]


@app.command(epilog="Example: `mohaq simulate mohaq-sru-4bit --arch bitfusion --set dram.bits_per_cycle=64`")
def simulate(
    trace: Annotated[str, typer.Argument(help="A trace file (YAML or JSON), or a shipped trace's name.")],
    arch: Arch,
    overrides: Set = None,
    engine: Annotated[str, typer.Option(help="`numba` (fast) or `simpy` (the reference); equal cycles.")] = "numba",
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="[FILE]",
            help="Write the report as JSON; without a FILE, or with `-`, to standard output.",
        ),
    ] = None,
    csv_file: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="[FILE]",
            help="Write one row per layer as CSV; without a FILE, or with `-`, to standard output.",
        ),
    ] = None,
) -> None:
    """Simulate one utterance of a trace on an architecture: cycles, stalls, energy, layer by layer."""
    from simulators import load_arch, load_trace
    from simulators import simulate as run_simulation

    report = run_simulation(load_trace(trace), load_arch(arch, overrides or []), engine=engine)
    if json_file is not None:
        _write(json_file, json.dumps(report.to_dict(), indent=1) + "\n", protect=trace)
    if csv_file is not None:
        _write(csv_file, report.to_csv(), protect=trace)
    if "-" not in (json_file, csv_file):
        _print_report(report)


@arch_app.command("list", epilog="Example: `mohaq arch list`")
def arch_list() -> None:
    """Shipped architecture specs."""
    from simulators import arch_names, load_arch

    table = Table("name", "platform", "MHz", "precisions (weights x activations)", "description")
    for name in arch_names():
        spec = load_arch(name)
        table.add_row(name, spec.platform, f"{spec.frequency_mhz:g}", _precisions(spec.precisions), spec.description)
    out.print(table)


@arch_app.command("show", epilog="Example: `mohaq arch show bitfusion --set array.rows=64`")
def arch_show(
    name: Annotated[str, typer.Argument(help="A shipped spec's name or a YAML file.")], overrides: Set = None
) -> None:
    """Print a spec with `extends` and `--set` resolved."""
    from simulators import load_arch

    print(load_arch(name, overrides or []).to_yaml(), end="")


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
    bits: Bits,
    model: ModelName = "sru",
    corpus: Corpus = "embedded",
    root: Root = None,
    split: Annotated[str, typer.Option(help="`dev`, `test` or `train`.")] = "dev",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Phone error rate of a model at given bit-widths; `--bits float` is the unquantized model."""
    recogniser = _load(model, corpus, root)
    rate = recogniser.evaluate(None if bits == "float" else recogniser.parse_bits(bits), split=split)
    if as_json:
        print(json.dumps(rate.to_dict()))
    else:
        subsets = ", ".join(f"{x:.2f}" for x in rate.subsets)
        out.print(
            f"{split}: phone error rate {rate.error:.2f} % ({rate.substitutions} substitutions, "
            f"{rate.insertions} insertions, {rate.deletions} deletions of {rate.reference_phones} phones); "
            f"worst of 4 groups of speakers {rate.error_max:.2f} % ({subsets})",
            highlight=False,
            soft_wrap=True,
        )


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


@app.command(epilog="Example: `mohaq train --out runs/my-sru --epochs 14`; again with `--resume` after an interruption")
def train(
    output: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder of the run: its state after each epoch, the log, and model.safetensors at the end."
        ),
    ],
    corpus: Corpus = "embedded",
    root: Root = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Of the weights, the batches and the dropout.")] = 1,
    small: Annotated[
        bool, typer.Option("--small", help="The small model that the tests use: seconds, not minutes.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Train a speech recogniser, calibrate it, and write its checkpoint and card."""
    from quant.training_run import run_training

    path = run_training(
        output, _corpus_root(corpus, root), epochs=epochs, seed=seed, small=small, resume=resume, console=err
    )
    out.print(f"checkpoint: {path}", highlight=False)


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
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Search bit-widths per layer: NSGA-II with error from the model, latency and energy from the simulator."""
    from search import Experiment, run
    from search.display import SearchDisplay, print_front

    changes = {"arch": arch, "set": overrides, "generations": generations, "seed": seed}
    settings = Experiment.load(experiment, {key: value for key, value in changes.items() if value is not None})
    with SearchDisplay() as display:
        result = run(settings, output, resume=resume, progress=display)
    print_front(result)


def _load(model: str, corpus: str, root: Path | None) -> "Recogniser":
    from quant import load_model

    return load_model(model, corpus_root=_corpus_root(corpus, root))


def _corpus_root(corpus: str, root: Path | None) -> Path | None:
    """None is the embedded corpus, made when first needed."""
    if corpus == "embedded" and root is None:
        return None
    if corpus == "timit" and root is not None:
        return root
    raise InputError(
        f"--corpus {corpus}"
        + (f" --root {root}" if root else "")
        + ": it must be `--corpus embedded`, or `--corpus timit` with --root FOLDER"
    )


def _precisions(pairs: Sequence[tuple[int, int]]) -> str:
    weights, activations = sorted({w for w, _ in pairs}), sorted({a for _, a in pairs})
    if len(pairs) == len(weights) * len(activations):
        return f"{'/'.join(map(str, weights))} x {'/'.join(map(str, activations))}"
    return ", ".join(f"{w}x{a}" for w, a in pairs)


def _print_report(report: "Report") -> None:
    table = Table("layer", title=f"{report.trace} on {report.arch}", title_justify="left")
    for column in ("cycles", "share", "utilisation", "stall cycles", "mostly", "energy µJ"):
        table.add_column(column, justify="right")
    for layer in report.layers:
        stall = sum(layer.stall_cycles.values())
        cause = max(layer.stall_cycles, key=lambda c: layer.stall_cycles[c]) if stall else ""
        share, energy = layer.cycles / report.cycles, sum(layer.energy_uj.values())
        figures = (
            f"{layer.cycles:,}",
            f"{share:.1%}",
            f"{layer.utilisation:.1%}",
            f"{stall:,}",
            cause,
            f"{energy:,.2f}",
        )
        table.add_row(layer.name, *figures)
    out.print(table)
    out.print(
        f"{report.cycles:,} cycles at {report.frequency_mhz:g} MHz: {report.latency_ms:.3f} ms for "
        f"{report.steps} frames, {report.latency_ms_per_frame * 1e3:.2f} µs a frame, "
        f"real-time factor {report.real_time_factor:.2g}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    out.print(f"{report.energy_uj:,.1f} µJ, {report.energy_uj_per_frame:.3f} µJ a frame", highlight=False)


def _write(target: str, text: str, protect: str) -> None:
    if target == "-":
        sys.stdout.write(text)
        return
    if Path(target).exists() and Path(target).resolve() == Path(protect).resolve():
        raise InputError(f"{target}: the report would overwrite the trace")
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None


def _with_optional_files(arguments: list[str]) -> list[str]:
    """`--json` and `--csv` of `simulate` may stand without a file: give them `-`, standard output."""
    if arguments[:1] != ["simulate"]:
        return arguments
    completed: list[str] = []
    for i, argument in enumerate(arguments):
        completed.append(argument)
        if argument in ("--json", "--csv"):
            following = arguments[i + 1] if i + 1 < len(arguments) else "--"
            if following.startswith("-") and following != "-":
                completed.append("-")
    return completed


def main() -> None:
    """Entry point: whatever a user can mend is one line on standard error and exit code 2."""
    try:
        code = app(_with_optional_files(sys.argv[1:]), standalone_mode=False)
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
        code = _complain("interrupted; a search or a training continues with --resume", 130)
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
