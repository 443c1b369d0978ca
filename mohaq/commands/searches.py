"""Commands of searches and sweeps: `search`, `sweep`, and `runs`, `show` and `report` on what they left."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mohaq.app import command, note, out
from mohaq.networks import is_module, load_network
from mohaq.options import Dashboard, Data, Root, Scheduler, Set, UseDask, Weights, written
from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    from search.evaluation.executors.cluster import Dask
    from search.evaluation.executors.executor import Inline
    from search.evaluation.executors.pool import Pool

Results = TypeVar("Results")


@command(
    epilog="Example: `mohaq search experiments/demo.yaml --out runs/demo`; again with `--resume` after an interruption"
)
def search(
    experiment: Annotated[str, typer.Argument(help="An experiment file, or a shipped experiment's name.")],
    output: Annotated[Path, written("--out", help="Folder of the run; new or empty unless --resume.")],
    arch: Annotated[str | None, typer.Option("--arch", help="Another architecture than the experiment's.")] = None,
    overrides: Set = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Another model than the experiment's: an .onnx file or `module:factory`, with --data, too."
        ),
    ] = None,
    data: Data = None,
    weights: Weights = None,
    root: Root = None,
    generations: Annotated[
        int | None, typer.Option(help="Another number of generations; with --resume more than there are.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Evaluate in so many processes, one thread each, instead of in this one.")
    ] = None,
    dask: UseDask = False,
    scheduler: Scheduler = None,
    dashboard: Dashboard = None,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="Evaluate near-ties on all of dev, where the search had a part, before the front is drawn.",
        ),
    ] = False,
    learn_from: Annotated[
        list[str] | None,
        typer.Option(
            "--learn-from",
            metavar="RUN",
            help="Folder of another run, of another model or corpus, whose errors say what to expect. May be repeated.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Hold the front against test and all of dev, or leave that out.")
    ] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Search bit-widths per layer: error from the model, latency and energy from the simulator. A file that names
    several models or platforms has a search of each pair, and a report that compares them."""
    from search import Experiment, run
    from search.campaign.members import members_of
    from search.runs.search_display import SearchDisplay, print_front
    from search.runs.shortfall import NothingFeasible

    given = None
    if model is not None and is_module(model):  # code is imported for this option alone, never for a file
        given, model, data, weights = load_network(model, data, weights=weights), None, None, None
    options: dict[str, object] = {
        "model": model,
        "data": None if data is None else str(data),
        "weights": None if weights is None else str(weights),
        "corpus_root": None if root is None else str(root),
        "arch": arch,
        "set": overrides,
        "generations": generations,
        "seed": seed,
        "confirm": confirm or None,
    }
    options["learn_from"] = learn_from or None
    changes = {key: value for key, value in options.items() if value is not None}
    if members := members_of(experiment, changes):
        if given is not None:
            raise InputError("--model: several searches have the models of their file")
        from search.campaign.display import CampaignDisplay, print_campaign
        from search.campaign.running import run_campaign

        with _executor(workers, dask, scheduler, dashboard) as executor, CampaignDisplay() as whole:
            campaign = run_campaign(members, output, resume, whole, executor, check=check)
        print_campaign(campaign)
        campaign.check()
        return
    settings = Experiment.load(experiment, changes)
    with _executor(workers, dask, scheduler, dashboard) as executor, SearchDisplay() as display:
        if settings.hardware:
            if given is not None:
                raise InputError("--model: variants of hardware are searched with the model of their file")
            from search.codesign.hardware_search import search_hardware
            from search.codesign.sweep_display import print_sweep

            found = search_hardware(settings, output, resume, display, executor=executor, check=check)
            print_sweep(found)
            return
        result = run(settings, output, resume, display, given, executor, check=check)
    print_front(result)
    if result.shortfall:
        raise NothingFeasible(result.shortfall)


@command(
    epilog="Example: `mohaq sweep experiments/sweep-bitfusion.yaml --out runs/sweep`; again with `--resume` if stopped"
)
def sweep(
    experiment: Annotated[str, typer.Argument(help="An experiment file with `hardware:`, or a shipped one's name.")],
    output: Annotated[Path, written("--out", help="Folder of the sweep; new or empty unless --resume.")],
    candidates: Annotated[
        str | None, typer.Option("--candidates", help="Folder of a search whose front takes the place of the file's.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes, of two kinds, one after the other: so many evaluate errors, a thread each (default: this "
            "one alone), then so many simulate variants (default: one a core). With --dask one kind that does both."
        ),
    ] = None,
    dask: UseDask = False,
    scheduler: Scheduler = None,
    dashboard: Dashboard = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the sweep in the folder.")] = False,
) -> None:
    """Put bit-widths on many variants of hardware: the joint front over error, latency, energy and area. A file with
    `networks:` sweeps widths of traces, without a model and its errors."""
    from search import Experiment
    from search.codesign.network_sweep import network_sweep_of
    from search.codesign.sweep import sweep as run_sweep
    from search.codesign.sweep_display import SweepDisplay, print_sweep

    if networks := network_sweep_of(experiment):
        from search.codesign.network_display import print_networks
        from search.codesign.network_run import run_networks

        if candidates is not None or dask or scheduler is not None or dashboard is not None:
            rule = "--candidates, --dask, --scheduler and --dashboard are of models"
            raise InputError(f"{experiment}: networks: {rule}")
        with SweepDisplay() as display:
            points = run_networks(networks, output, resume, display, workers)
        print_networks(points, technologies=networks.technologies())
        return
    settings = Experiment.load(experiment, {} if candidates is None else {"candidates": candidates})
    with _executor(workers, dask, scheduler, dashboard) as executor, SweepDisplay() as display:
        here = None if dask else workers
        result = run_sweep(settings, output, resume=resume, progress=display, executor=executor, workers=here)
    print_sweep(result)


@command(epilog="Example: `mohaq runs`")
def runs(folder: Annotated[Path, typer.Argument(help="Where to look, folders below included.")] = Path("runs")) -> None:
    """List the searches and sweeps in a folder: how far they came, and what they found."""
    from search.codesign.stored_networks import find_network_runs, listed
    from search.runs.run_reader import find_runs
    from search.runs.search_display import print_runs

    found, complaints = find_runs(folder)
    of_networks, others = find_network_runs(folder)
    print_runs(found, others=[*map(listed, of_networks)])
    note([*complaints, *others])


@command(epilog="Example: `mohaq show runs/demo`")
def show(folder: Annotated[Path, typer.Argument(help="The folder of a finished search or sweep.")]) -> None:
    """Print the front of a search or a sweep again."""
    from search.codesign import sweep_display as codesign_display
    from search.codesign.network_display import print_networks
    from search.codesign.stored_networks import load_network_run
    from search.runs import search_display as display
    from search.runs.run_reader import is_network_run, load_run

    if is_network_run(folder):
        of_networks = load_network_run(folder)
        print_networks(_finished(of_networks.points, folder), technologies=of_networks.sweep.technologies())
        return
    found = load_run(folder)
    if found.foreign:
        raise InputError(f"{folder}: another version of mohaq wrote its results")
    results = _finished(found.results, folder)
    (codesign_display if found.is_codesign else display).print_results(results, folder)


def _finished(results: Results | None, folder: Path) -> Results:
    """What a run found. Raises InputError where it is not finished."""
    if results is None:
        raise InputError(f"{folder}: the run is not finished: its command with --resume continues it")
    return results


@command(epilog="Example: `mohaq report runs/demo --out report.html`; `mohaq report runs/sweep --out sweep.html`")
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished searches and sweeps.")],
    output: Annotated[Path, written("--out", help="The page: one HTML file that needs no network.")],
    png: Annotated[Path | None, written("--png", metavar="FILE", help="Draw fronts and hypervolume.")] = None,
    table: Annotated[Path | None, written("--csv", metavar="FILE", help="Write every point.")] = None,
    policies: Annotated[
        Path | None,
        written("--policies", metavar="FILE", help="Draw the best policy of each hardware layer by layer."),
    ] = None,
) -> None:
    """Make a page of searches and sweeps: fronts to filter and click, variants of hardware, hypervolume, closed form
    and simulation."""
    from search.report.page import write_report

    made = write_report(folders, output, png, table, policies=policies)
    points = sum(len(run.points) for run in made.runs)
    names = ", ".join(run.label for run in made.runs)
    out.say(f"{output}: {names}; {points:,} points")


def _executor(workers: int | None, dask: bool, scheduler: str | None, dashboard: int | None) -> "Inline | Pool | Dask":
    """Where a search or a sweep evaluates candidates."""
    if dashboard is not None and not dask:
        raise InputError(f"--dashboard {dashboard}: it is that of a cluster that --dask starts")
    if scheduler is not None or dask:
        from search.evaluation.executors.cluster import Dask

        if scheduler is not None and (dask or workers is not None):
            raise InputError(f"--scheduler {scheduler}: that cluster has its workers: leave out --workers and --dask")
        return (
            Dask(scheduler=scheduler)
            if scheduler is not None
            else Dask(workers=workers if workers is not None else os.cpu_count(), dashboard=dashboard)
        )
    if workers is not None:
        from search.evaluation.executors.pool import Pool

        return Pool(workers)
    from search.evaluation.executors.executor import Inline

    return Inline()
