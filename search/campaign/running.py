"""The searches of a campaign, one after the other, each in a folder of its own.

What is wrong with any of them is found before the first begins. What goes wrong later with one does not keep the others
from running. An error that one search measured is found again by those of the same model on other platforms, for it
does not depend on the hardware: each begins with what the ledgers of the others have. To resume is to run again:
finished searches are left as they are, and the one that was interrupted continues from its ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from search.campaign.members import Member
from search.codesign.hardware_search import over_hardware, search_hardware
from search.evaluation.executors.executor import Executor
from search.evaluation.experiment_model import ExperimentModel
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.evaluation.model import Model
from search.held_out.split_errors import copy_errors
from search.report.page import write_report
from search.runs.confirmation import check_confirmable
from search.runs.driver import Progress, VariantSearch, run
from search.runs.run_folder import locked
from search.runs.run_reader import load_run
from search.runs.session import plan
from search.runs.stored_files import StoredState
from search.settings.experiment import Experiment
from search.settings.experiment_source import located
from simulators.inputs.errors import InputError, LoweringError
from simulators.inputs.files import make_room
from simulators.inputs.json_files import read_json

REPORT = "report"
"""Name, without its ending, of the files that compare the searches."""


class CampaignProgress(Progress, Protocol):
    """A display of a campaign; every method may do nothing."""

    def begins(self, number: int, of: int, label: str) -> None:
        """The search of this number, from 1, begins, or is found to be finished."""


class CampaignIncomplete(InputError):
    """Some searches came to nothing, and the others are done."""

    exit_code = 1


@dataclass(frozen=True)
class Campaign:
    """What the searches of a campaign came to."""

    finished: tuple[Path, ...]
    """Folders of the searches that found a front."""
    failures: Mapping[str, str]
    """Why a search came to nothing, by its label."""
    report: Path | None
    """The page that compares those that found a front; None: there are none."""

    def check(self) -> None:
        """Raise CampaignIncomplete if a search came to nothing."""
        if self.failures:
            rule = f"{len(self.failures)} of {len(self.failures) + len(self.finished)} runs came to nothing"
            raise CampaignIncomplete(f"{rule}: {', '.join(self.failures)}")


def run_campaign(
    members: Sequence[Member],
    folder: Path,
    resume: bool = False,
    progress: CampaignProgress | None = None,
    executor: Executor | None = None,
    models: Mapping[str, Model] | None = None,
    check: bool = True,
) -> Campaign:
    """Run every search in its folder below `folder`, and write the report there. `models`, by the name that members
    have for them, take the place of checkpoints. Without `check` fronts are not held against test and all of dev.

    Raises InputError for settings that a search cannot have, before anything runs, for a model that has changed since
    one of the searches began, and for a folder that holds something while `resume` is false, or that another process
    works in.
    """
    models = models or {}
    loaded = _loaded(members, models)
    with _claimed(folder, resume):
        for member in members:
            _check_unchanged(folder / member.label, loaded[member.label])
        failures: dict[str, str] = {}
        for number, member in enumerate(members):
            if progress:
                progress.begins(number + 1, len(members), member.label)
            model = loaded[member.label]
            siblings = [folder / other.label for other in members if other.experiment.model == member.experiment.model]
            try:
                is_given = member.experiment.model in models
                why = _searched(member, folder / member.label, model, is_given, siblings, progress, executor, check)
            except (InputError, LoweringError) as error:
                why = str(error)
            if why:
                failures[member.label] = why
        done = [member for member in members if member.label not in failures]
        finished = tuple(folder / member.label for member in done)
        given = {folder / m.label: models[m.experiment.model] for m in done if m.experiment.model in models}
        if finished:
            page, png, table = (folder / f"{REPORT}.{ending}" for ending in ("html", "png", "csv"))
            for path in (page, png, table):
                make_room(path)
            write_report(finished, page, png, table, given)
    return Campaign(finished, failures, folder / f"{REPORT}.html" if finished else None)


def _loaded(members: Sequence[Member], given: Mapping[str, Model]) -> dict[str, Model]:
    """The model of each member by its label, one for all members that have it; every member checked with it."""
    by_name, found = dict(given), {}
    for member in members:
        name = member.experiment.model
        model = _checked(member.experiment, by_name.get(name))
        by_name[name] = found[member.label] = model
    return found


@located
def _checked(experiment: Experiment, model: Model | None) -> Model:
    """The model of a search that can be, loaded if there is none yet."""
    planned = plan(experiment, model)
    if experiment.confirm:
        check_confirmable(planned.model)
    if not experiment.hardware:
        VariantSearch.of(planned, planned.hardware.variants[0])
    return planned.model


@contextmanager
def _claimed(folder: Path, resume: bool) -> Iterator[None]:
    """The campaign's folder, locked."""
    with closing(locked(folder, "the folder of runs")):
        if not resume and any(not path.name.startswith(".") for path in folder.iterdir()):
            rule = "not empty: --resume continues the runs in it, another folder starts new ones"
            raise InputError(f"{folder}: {rule}")
        yield


def _searched(
    member: Member, folder: Path, model: Model, is_given: bool, siblings: Sequence[Path], progress: Progress | None,
    executor: Executor | None, check: bool,
) -> str:  # fmt: skip
    """Run or finish a search; why it came to nothing, or an empty text."""
    experiment = member.experiment
    if _is_finished(folder, experiment, check):
        return ""
    _share_errors(model, siblings, folder)
    made = None if is_given else ExperimentModel.of(experiment)  # a model that was given is sent to other processes
    if experiment.hardware:
        search_hardware(experiment, folder, True, progress, model, executor, made, check=check)
        return ""
    return run(experiment, folder, True, progress, model, executor, made, check=check).shortfall


def _check_unchanged(folder: Path, model: Model) -> None:
    """Raise InputError where a search began with another model: also a finished one, which is not run again."""
    for state in folder.glob("*state.json"):
        stored = read_json(state, StoredState).identity.digests.get("model")
        if stored is not None and stored != model.digest:
            raise InputError(f"{folder}: the run to resume differs in model (digests)")


def _is_finished(folder: Path, experiment: Experiment, check: bool) -> bool:
    """Whether a folder holds what this very search found, a front, held against test where it is to be; one without is
    run again, from its ledger. A search that was stopped as it was extended has the results of what it was before."""
    if not folder.is_dir() or not any(folder.glob("*state.json")):
        return False
    found = load_run(folder)
    if found.results is None or not found.results["front"]:
        return False
    is_checked = found.results["held_out"] is not None or not (check and experiment.needs_error)
    as_run = over_hardware(experiment) if experiment.hardware else experiment
    return is_checked and bool(found.results["experiment"] == as_run.to_dict())


def _share_errors(model: Model, siblings: Sequence[Path], folder: Path) -> None:
    """Record in a search's ledger what those of others know of its model's errors, also on test and on all of dev."""
    for sibling in siblings:
        if sibling != folder and (sibling / LEDGER_FILE).is_file():
            with closing(Ledger(sibling / LEDGER_FILE)) as theirs, closing(Ledger(folder / LEDGER_FILE)) as ours:
                copy_errors(theirs, ours, model)
