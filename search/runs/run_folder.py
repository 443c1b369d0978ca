"""The folder of a run: what identifies the run, that one process at a time works in it, and how far it came."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from search.evaluation.beacon_files import BEACON_FOLDER
from search.evaluation.ledger import LEDGER_FILE
from search.runs.stored_files import StoredNetworkState, StoredState
from search.space.genome import Genes
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.inputs.json_files import read_json
from simulators.inputs.locks import FolderLock

COMPUTED_BEFORE = (LEDGER_FILE, f"{LEDGER_FILE}-wal", f"{LEDGER_FILE}-shm", BEACON_FOLDER)
"""What a new run may begin with: evaluations and retrainings, which say themselves what they are of."""


AFTERWARDS = ("confirm",)
"""Settings that a run is resumed with whatever they were: they decide what is done when its search is over."""


@dataclass(frozen=True)
class RunKind:
    """The files by which a kind of run is known."""

    state_file: str
    """What identifies the run, and how far it came."""
    results_file: str
    """What it found, once it is finished."""
    results_key: str
    """A key that the results hold if this version of mohaq wrote them."""
    state: type[StoredState] | type[StoredNetworkState] = StoredState
    """What is read of the state."""


SEARCH = RunKind("state.json", "pareto.json", "screened")
"""A search on one piece of hardware."""
CODESIGN = RunKind("sweep-state.json", "sweep.json", "hardware")
"""A sweep, or a search whose genes choose the hardware too."""

NETWORKS = RunKind("networks-state.json", "points.csv", "network", StoredNetworkState)
"""A sweep of networks without a model."""


def locked(folder: Path, used_as: str) -> FolderLock:
    """A folder, made where there is none, locked. Raises InputError where another process works in it, or it cannot be
    used."""
    make_folder(folder)
    try:
        return FolderLock(folder, wait=False, otherwise="give --out a folder on another one")
    except BlockingIOError:
        raise InputError(f"{folder}: another search is running in this folder") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be used as {used_as}: {error.strerror}") from None


class RunFolder:
    """A folder claimed for one run, locked while in use as a context.

    `identity` is all that the run's result depends on: its parts `experiment` and `digests`. A run that is resumed with
    more generations, where that `extends` it, goes on beyond those that it was to have. Raises InputError if the folder
    is not empty and `resume` is false, if it holds another run, or if another process works in it.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Mapping[str, Any]],
        resume: bool,
        kind: RunKind = SEARCH,
        extends: bool = True,
    ):
        self.folder = folder
        self._state, self._stored = folder / kind.state_file, kind.state
        self.is_new = False
        """Whether the run begins now."""
        self._identity = identity
        self._extends = extends
        self.keeps_order = True
        """See `search.runs.recorder.Recorder`."""
        self._lock = locked(folder, "the run's folder")
        try:
            self._generations = self._claim(resume)
            self.saved = len(self._generations)
            """See `search.runs.recorder.Recorder`."""
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def check(self, number: int, genes: Genes) -> None:
        """Raise InputError if a resumed run passes through another generation than the one that was saved."""
        if self._generations.get(str(number), _digest(genes)) != _digest(genes):
            raise InputError(
                f"{self.folder}: generation {number} comes out otherwise than when it was saved: other versions of the "
                "libraries, or another processor, made this run; start a new one with a copy of its ledger"
            )

    def save(self, number: int, genes: Genes) -> None:
        """Record that a generation is complete, by the gene vectors (N, genes) that were asked for."""
        self._generations[str(number)] = _digest(genes)
        self._write()

    def _claim(self, resume: bool) -> dict[str, str]:
        # Hidden files are the lock, and what a kill left of a file that was being written.
        if not self._names() or (not resume and self._nothing_done()):
            self._generations = {}
            self._write()
            self.is_new = True
            return {}
        if not resume:
            raise InputError(
                f"{self.folder}: not empty: --resume continues the run in it, another folder starts a new one"
            )
        try:
            state = read_json(self._state, self._stored)
        except InputError as error:
            rule = f"nothing to resume: it holds no {self._state.name} of a search"
            raise InputError(f"{self.folder}: {rule}: {error}") from None
        stored = state.identity.model_dump()
        for part, ours in self._identity.items():
            keys = {*ours, *stored[part]} - {*AFTERWARDS}
            different = sorted(key for key in keys if _said(ours.get(key)) != _said(stored[part].get(key)))
            if different == ["generations"] and self._extends:
                wanted, planned = ours["generations"], stored[part]["generations"]
                if wanted > planned:
                    continue
                raise InputError(
                    f"{self.folder}: generations: {wanted}: the run to resume has {planned}: more of them extend it"
                )
            if different:
                raise InputError(f"{self.folder}: the run to resume differs in {', '.join(different)} ({part})")
        return dict(state.generations)

    def _names(self) -> set[str]:
        """Names of what lies in the folder and a run may not begin with."""
        names = {path.name for path in self.folder.iterdir()}
        return {name for name in names if not name.startswith(".")} - {*COMPUTED_BEFORE}

    def _nothing_done(self) -> bool:
        """Whether a run began here that did not come to its first generation: what it evaluated is in the ledger."""
        try:
            return self._names() == {self._state.name} and not read_json(self._state, self._stored).generations
        except InputError:
            return False

    def _write(self) -> None:
        content = {"identity": self._identity, "generations": self._generations}
        write_whole(self._state, json.dumps(content, indent=1).encode())


def _said(setting: Any) -> Any:
    """A setting without what it leaves open. A list of nothing, or null, is as a setting that there was not yet when a
    run began, inside others too."""
    if isinstance(setting, dict):
        setting = {key: _said(value) for key, value in setting.items() if _said(value) is not None}
    elif isinstance(setting, list):
        setting = [_said(value) if isinstance(value, dict | list) else value for value in setting]
    return setting or None


def _digest(genes: Genes) -> str:
    return hashlib.sha256(np.ascontiguousarray(genes, dtype=np.int64).tobytes()).hexdigest()
