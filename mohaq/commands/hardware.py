"""Commands of the hardware: `simulate`, `compare`, and `arch` with `list`, `show` and `check`."""

import json
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mohaq.app import arch_app, command, err, note, out
from mohaq.options import AllBits, Arch, Csv, Json, Set, Steps, Workload
from mohaq.targets import write
from simulators.inputs.errors import InputError
from simulators.inputs.files import check_targets


@command(epilog="Example: `mohaq simulate mohaq-sru-4bit --arch bitfusion --set dram.bits_per_cycle=64`")
def simulate(
    trace: Workload,
    arch: Arch,
    overrides: Set = None,
    bits: AllBits = None,
    steps: Steps = None,
    model: Annotated[
        str,
        typer.Option(help="`simulated`, or `published`: the closed form of the platform, where one was published."),
    ] = "simulated",
    engine: Annotated[str, typer.Option(help="`numba` (fast) or `simpy` (the reference); equal cycles.")] = "numba",
    mapping: Annotated[
        bool,
        typer.Option("--mapping", help="Print how each product is mapped: tiles and loop order, or waves and rows."),
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
    from simulators.run.published import published_report
    from simulators.run.simulation import simulator
    from simulators.views.precision_notes import unlisted_precisions
    from simulators.views.report_tables import print_mappings, print_report
    from simulators.workloads.workload import load_workload

    targets = {"--plot": plot_file, "--timeline": timeline_file, "--json": json_file, "--csv": csv_file}
    check_targets(targets, {"the trace": trace, "the spec": arch})
    workload, spec = load_workload(trace, bits, steps), load_arch(arch, overrides or [])
    left_out: tuple[str, ...] = ()
    if model == "published":
        if engine != "numba" or mapping or timeline_file:
            raise InputError("--model published: a closed form has no --engine, --mapping or --timeline")
        published = published_report(workload, spec)
        report, left_out = published.report, published.left_out
        if published.energy_of:
            note([f"energies are {published.energy_of}, whatever {spec.name} says of its own"])
    elif model == "simulated":
        report = run_simulation(workload, spec, engine=engine)
    else:
        raise InputError(f"--model {model}: it must be simulated or published")
    mappings = [] if model == "published" else simulator(spec).mappings(workload.layers)
    note(unlisted_precisions(workload, [spec], model == "published"))
    if plot_file is not None:
        from simulators.views.report_plot import plot

        plot(report, plot_file)
    if timeline_file is not None:
        from simulators.views.timeline import timeline

        write(timeline_file, json.dumps(timeline(workload, spec)) + "\n")
    if json_file is not None:
        data = report.to_dict() | ({"left_out": left_out} if model == "published" else {})
        rows = dict(mappings)
        for layer in data["layers"]:
            if layer["name"] in rows:
                layer["mapping"] = rows[layer["name"]]
        write(json_file, json.dumps(data, indent=1) + "\n")
    if csv_file is not None:
        write(csv_file, report.to_csv())
    if "-" not in (json_file, csv_file, timeline_file):
        print_report(report, out)
        if mapping:
            print_mappings(mappings, out)
        if left_out:
            names = ", ".join(left_out)
            out.say(f"Left out, for the published model knows no elementwise work: {names}")


@command(
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
    survey: Annotated[
        bool, typer.Option("--survey", help="The objectives of Rezk et al. 2020 of each, and published accelerators.")
    ] = False,
    json_file: Json = None,
    csv_file: Csv = None,
) -> None:
    """Put architectures side by side on one trace, with ratios to the first."""
    from simulators import load_arch
    from simulators.hardware.arch import Change, split_changes
    from simulators.views import comparison
    from simulators.views.precision_notes import unlisted_precisions
    from simulators.views.report_tables import print_comparison, print_layers, print_survey
    from simulators.views.survey import survey_rows
    from simulators.workloads.workload import load_workload

    specs = {f"the spec {text}": split_changes(text)[0] for text in archs}
    check_targets({"--json": json_file, "--csv": csv_file}, {"the trace": trace, **specs})
    workload = load_workload(trace, bits, steps)
    variants = []
    for text in archs:
        name, *words = split_changes(text)
        changes = [Change.parse(word, (f"--arch {name},{word}", 0, 0)) for word in words]
        try:
            variants.append((text, load_arch(name, [*(overrides or []), *changes])))
        except InputError as error:
            if not str(error).startswith("--set "):
                raise
            raise InputError(f"{text}: {error}") from None  # it is for all: which of them it does not suit
    compared = comparison.compare(workload, variants)
    note(unlisted_precisions(workload, [arch for _, arch in variants]))
    objectives = survey_rows(workload, compared, [arch for _, arch in variants]) if survey else []
    if json_file is not None:
        rows = [variant.to_dict() for variant in compared]
        for row, of_survey in zip(rows, objectives, strict=False):
            row["survey"] = {name: value for name, value in of_survey.items() if name != "arch"}
        write(json_file, json.dumps(rows, indent=1) + "\n")
    if csv_file is not None:
        write(csv_file, comparison.to_csv(compared))
    if "-" not in (json_file, csv_file):
        print_comparison(compared, out)
        if layers:
            print_layers(compared, out)
        if survey:
            print_survey(objectives, out)


@command("list", group=arch_app, epilog="Example: `mohaq arch list`")
def arch_list() -> None:
    """Shipped architecture specs."""
    from simulators import arch_names, load_arch
    from simulators.hardware.spec import precisions_shown

    table = Table("name", "bits (weights x activations)", "description", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in arch_names():
        spec = load_arch(name)
        table.add_row(name, precisions_shown(spec.precisions), spec.description)
    out.show(table)


@command("show", group=arch_app, epilog="Example: `mohaq arch show bitfusion --set array.rows=64`")
def arch_show(
    name: Annotated[str, typer.Argument(help="A shipped spec's name or a YAML file.")], overrides: Set = None
) -> None:
    """Print a spec with `extends` and `--set` resolved, and its area."""
    from simulators import load_arch
    from simulators.hardware.area import area_mm2

    arch = load_arch(name, overrides or [])
    print(arch.to_yaml(), end="")
    if arch.spec.area_parts_mm2() is not None:
        parts = area_mm2(arch)
        shown = ", ".join(f"{part.replace('_', ' ')} {x:.3g}" for part, x in parts.items())
        print(f"# area {sum(parts.values()):.3g} mm2: {shown}")


@command("check", group=arch_app, epilog="Example: `mohaq arch check my-variant.yaml`")
def arch_check(files: Annotated[list[str], typer.Argument(help="Spec files or shipped names.")]) -> None:
    """Check specs: one line for each, exit code 2 if any is bad."""
    from simulators import load_arch

    bad = 0
    for name in files:
        try:
            spec = load_arch(name)
        except InputError as error:
            bad += 1
            err.say(str(error), style="red")
        else:
            out.say(f"{name}: ok ({spec.platform})")
    if bad:
        raise typer.Exit(2)
