"""Beacons as they lie on disk: a folder each in `beacons` beside the ledger, with the state and the result of the
retraining and a description of all that it comes from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from quant.sites.candidate import Bits, name_of
from quant.sites.delta_pair import MOST_THRESHOLD, thresholds_in, widths, with_threshold
from search.settings.beacon_settings import BeaconSettings
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole
from simulators.inputs.json_files import read_json
from simulators.inputs.source_locations import under

BEACON_FOLDER = "beacons"
DESCRIPTION = "beacon.json"
Width = Annotated[int, Field(ge=1, le=16)]
Threshold = Annotated[int, Field(ge=0, le=MOST_THRESHOLD)]
_FROM_LIST = Field(strict=False)
Pair = Annotated[tuple[Width, Width], _FROM_LIST] | Annotated[tuple[Width, Width, Threshold], _FROM_LIST]
"""A site's (weight bits, activation bits), with a threshold in 1/256 where it has one."""
TRAINING = ("epochs", "learning_rate")
"""The settings that decide what a retraining comes to."""


@dataclass(frozen=True)
class Retraining:
    """All that the parameters of a beacon come from."""

    bits: Bits
    """The candidate that is trained for."""
    model: str
    """Digest of the original parameters."""
    data: str
    """Digest of the data."""
    code: str
    """Digest of the code that trains."""
    settings: dict[str, Any]
    """The values of TRAINING's keys."""

    def content(self) -> dict[str, Any]:
        """What describes it in a file."""
        thresholds = thresholds_in(self.bits)
        pairs = {
            site: [*widths(pair), *([thresholds[site]] if site in thresholds else [])]
            for site, pair in self.bits.items()
        }
        return {"bits": pairs, "of": self.model, "data": self.data, "code": self.code, **self.settings}

    @property
    def name(self) -> str:
        """The name of its folder."""
        return hashlib.sha256(json.dumps(self.content()).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class StoredBeacon:
    """A beacon whose retraining is finished."""

    folder: Path
    bits: Bits
    model: str
    """Digest of the original parameters."""
    data: str
    """Digest of the data that its model was evaluated on."""
    digest: str
    """Digest of its own parameters."""
    training: dict[str, Any]
    """The values of TRAINING's keys."""
    frames: int | None
    """Frames of one epoch of its training; None: the model did not say how many."""


def write_description(folder: Path, retraining: Retraining, digest: str, frames: int | None) -> None:
    """Say in a retraining's folder what came of it: parameters of this digest, by epochs of so many frames."""
    content = {**retraining.content(), "digest": digest, "folder": folder.name, "frames": frames}
    write_whole(folder / DESCRIPTION, (json.dumps(content, indent=1) + "\n").encode())


def finished_before(folder: Path, digest: str) -> StoredBeacon | None:
    """What a retraining's folder says of it, if it led to parameters of this digest; None where it does not say."""
    if not (folder / DESCRIPTION).exists():
        return None
    try:
        stored = _described(folder / DESCRIPTION)
    except InputError:  # what is damaged is written anew
        return None
    return stored if stored.digest == digest else None


def stored_beacons(run: Path) -> list[StoredBeacon]:
    """The beacons of another run, by their folders' names. Raises InputError if there is none."""
    return [_described(path) for path in _descriptions(run)]


def beacon_file(run: Path, settings: BeaconSettings, digests: Mapping[str, str], beacon: str) -> Path:
    """The parameters of a run's beacon, its own or a carried one, by its candidate; `digests` are those of the run's
    `model` and `data`, for its folder may hold retrainings of others too. Raises InputError if it is lost."""
    from quant.training.retraining import RESULT  # brings torch with it, which a search need not load

    own = settings.model_dump(include={*TRAINING})
    for folder in (run, *map(Path, settings.carry)):
        for path in sorted((folder / BEACON_FOLDER).glob(f"*/{DESCRIPTION}")):
            stored = _described(path)
            as_here = folder != run or (stored.training == own and stored.data == digests["data"])
            if as_here and stored.model == digests["model"] and name_of(stored.bits) == beacon:
                return path.parent / RESULT
    raise InputError(f"{run / BEACON_FOLDER}: the beacon {beacon} is lost")


def digest_of_carried(settings: BeaconSettings) -> str:
    """sha256 over what describes the beacons that a search begins with: bits and digests of parameters."""
    digest = hashlib.sha256()
    for i, run in enumerate(settings.carry):
        with under("beacons", "carry", i):
            paths = _descriptions(Path(run))
        for path in paths:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _descriptions(run: Path) -> list[Path]:
    """The descriptions of a run's beacons."""
    paths = sorted((run / BEACON_FOLDER).glob(f"*/{DESCRIPTION}"))
    if not paths:
        raise InputError(f"{run}: it holds no beacons")
    return paths


class _Description(BaseModel):
    """What a beacon's description says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    bits: dict[str, Pair]
    of: str
    data: str
    code: str
    digest: str
    folder: str
    epochs: int
    learning_rate: float
    frames: Annotated[int, Field(ge=1)] | None = None


def _described(path: Path) -> StoredBeacon:
    """What a beacon's description says. Raises InputError for a description that is none."""
    try:
        content = read_json(path, _Description)
    except InputError as error:
        rule = "not as this version of mohaq describes a beacon: a search made anew writes it"
        why = str(error).removeprefix(f"{path}:").strip()
        raise InputError(f"{path}: {rule} ({why})") from None
    training = {key: getattr(content, key) for key in TRAINING}
    bits = {site: with_threshold(pair[:2], pair[2] if len(pair) > 2 else None) for site, pair in content.bits.items()}
    return StoredBeacon(path.parent, bits, content.of, content.data, content.digest, training, content.frames)
