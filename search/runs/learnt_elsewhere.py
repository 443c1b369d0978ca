"""Errors of other runs that a method learns from (`learn_from` of an experiment): read from their ledgers, and never
evaluations of the run that learns."""

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from quant.sites.candidate import Bits
from quant.sites.site import NAME_CHARACTERS
from search.evaluation.ledger import LEDGER_FILE, ErrorsOf, Ledger
from search.evaluation.ledger_rows import ErrorRow, row_of
from search.methods.method import KnownErrors
from search.runs.run_folder import CODESIGN, SEARCH
from search.runs.stored_files import MOST_BYTES, StoredState
from search.settings.experiment import Experiment
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import read_json
from simulators.inputs.source_locations import shown, under

FEWEST = 10
"""Candidates with an error that tell anything of sites."""
_DIGESTS = {"model": "model", "data": "data", "code": "code of the model"}
"""What an `ErrorsOf` is made of, and the names that a run's state has for it."""
_SITE = re.compile(rf"([{NAME_CHARACTERS}]+)=([0-9]{{1,2}})x([0-9]{{1,2}})")


def learnt_elsewhere(experiment: Experiment) -> tuple[KnownErrors, ...]:
    """What the runs that an experiment learns from measured with their models' original parameters on the data that
    they chose by. Raises InputError with the key of a folder that has too little of it."""
    found = []
    for i, folder in enumerate(experiment.learn_from):
        with under("learn_from", i):
            found.append(_known(Path(folder)))
    return tuple(found)


def text_of(elsewhere: Sequence[KnownErrors]) -> list[str]:
    """All that is learnt from, as text: what a digest is of."""
    return [
        f"{[*bits.items()]} {error!r}"
        for known in elsewhere
        for bits, error in zip(known.candidates, known.errors.tolist(), strict=True)
    ]


def _known(folder: Path) -> KnownErrors:
    states = [folder / kind.state_file for kind in (SEARCH, CODESIGN) if (folder / kind.state_file).is_file()]
    if not states or not (folder / LEDGER_FILE).is_file():
        raise InputError(f"{folder}: no folder of a run with evaluations")
    digests = read_json(states[0], StoredState, MOST_BYTES).identity.digests
    if not {*_DIGESTS.values()} <= digests.keys():
        raise InputError(f"{states[0]}: it does not say which errors are the run's")
    key = ErrorsOf(**{part: digests[name] for part, name in _DIGESTS.items()})
    candidates, errors = list[Bits](), list[float]()
    with closing(Ledger(folder / LEDGER_FILE)) as ledger:
        for name in ledger.candidates(key):
            row = row_of(ErrorRow, ledger.find_error(key, name) or {}, ledger.path)
            if np.isfinite(row.error):
                if "@" in name:
                    raise InputError(f"{folder}: its candidates have thresholds, of which nothing is learnt")
                candidates.append(_bits(name, ledger.path))
                errors.append(row.error)
    if len(candidates) < FEWEST:
        raise InputError(f"{folder}: it has errors of {len(candidates)} candidates: at least {FEWEST} tell anything")
    if any(bits.keys() != candidates[0].keys() for bits in candidates):
        raise InputError(f"{folder}: its candidates have different sites")
    return KnownErrors(candidates, np.array(errors))


def _bits(name: str, path: Path) -> Bits:
    """The candidate of this name in a ledger. Raises InputError for what is none."""
    parts = [_SITE.fullmatch(part) for part in name.split(",")]
    bits = {part[1]: (int(part[2]), int(part[3])) for part in parts if part is not None}
    if len(bits) < len(parts) or any(0 in pair for pair in bits.values()):
        raise InputError(f"{path}: {shown(name)}: no candidate: expected bits of each site, as L0=8x8,P1=4x8")
    return bits
