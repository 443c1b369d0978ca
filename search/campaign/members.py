"""The searches of an experiment file that names several models or platforms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from search.settings.experiment import Experiment, find_experiment
from search.settings.experiment_source import with_options
from simulators.inputs.documents import read_document
from simulators.inputs.source_locations import Document, shown

SINGULAR = {"models": "model", "archs": "arch"}
"""The keys that make a file one of several searches, and what each of its entries is in one of these."""
MOST_MEMBERS = 1_000
"""Searches of one file."""


@dataclass(frozen=True)
class Member:
    """One search of a campaign."""

    label: str
    """What its folder is called: `sru-bitfusion`."""
    experiment: Experiment


def members_of(name: str | Path, changes: Mapping[str, Any] | None = None) -> tuple[Member, ...]:
    """The searches of a file, or of a shipped experiment by its name, model by model; none if the file is of one
    search. `changes` replace keys.

    Raises InputError with file, line, column and key for what is wrong with one of them.
    """
    document = read_document(find_experiment(str(name)))
    data = document.data
    if not isinstance(data, dict) or not any(key in data for key in SINGULAR):
        return ()
    if changes:
        document = with_options(document, changes)
    models, archs = (_entries(document, plural) for plural in SINGULAR)
    if archs != (None,) and "hardware" in document.data:
        raise document.error(("hardware",), "its blocks name their architectures: leave out archs")
    if len(models) * len(archs) > MOST_MEMBERS:
        raise document.error((), f"{len(models) * len(archs)} pairs of models and archs: at most {MOST_MEMBERS}")
    members: dict[str, Member] = {}
    for model, arch in product(models, archs):
        member = _member(document, {"models": model, "archs": arch})
        if member.label in members:
            rule = f"{member.label}: two runs would have a folder of this name: rename a file"
            raise document.error(("archs", arch) if arch is not None else ("models", model or 0), rule)
        members[member.label] = member
    return tuple(members.values())


def _entries(document: Document, plural: str) -> Sequence[int | None]:
    """Positions in a list of models or platforms; one None where the file has no such list."""
    data, singular = document.data, SINGULAR[plural]
    if plural not in data:
        return (None,)
    if singular in data:
        raise document.error((singular,), f"{shown(data[singular])}: {plural} names several: leave one of both out")
    entries = data[plural]
    if not isinstance(entries, list) or not entries:
        raise document.error((plural,), f"{shown(entries)}: expected a list of one or more names or files")
    for i, entry in enumerate(entries):
        if not isinstance(entry, str):
            raise document.error((plural, i), f"{shown(entry)}: expected a name or a file")
        if entry in entries[:i]:
            raise document.error((plural, i), f"{entry}: named twice")
    return range(len(entries))


def _member(document: Document, chosen: Mapping[str, int | None]) -> Member:
    """The search of one pair, its model and platform placed where the lists have them."""
    data = {key: value for key, value in document.data.items() if key not in SINGULAR}
    places = dict(document.places)
    for plural, i in chosen.items():
        if i is not None:
            data[SINGULAR[plural]] = document.data[plural][i]
            places[SINGULAR[plural],] = document.places.get((plural, i), (document.source, 0, 0))
    experiment = Experiment.of_document(Document(document.source, data, places))
    hardware = "hardware" if experiment.hardware else Path(experiment.arch).stem
    return Member(f"{Path(experiment.model).stem}-{hardware}", experiment)
