"""How the files of a data folder are given to a network: `data.yaml` in the folder."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulators.inputs.documents import read_document, validate

FILE = "data.yaml"
"""Its name in a folder of data."""


class Chunks(BaseModel):
    """An input that comes in pieces: each call of the network gets `length` new elements, after the last `context` of
    those before, zeros at the start. What is missing of the last call's elements is zeros too, which are judged as the
    rest."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    length: int = Field(ge=1)
    """New elements of a call."""
    context: int = Field(default=0, ge=0)
    """Elements of a call that the one before had already."""
    axis: int = -1
    """The axis of the input along which they are cut."""


class DataSettings(BaseModel):
    """What a folder says of its files, and how a network is judged on them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    inputs: dict[str, int | float | bool] = {}
    """Inputs that have the same value for all files, as the sample rate that a network may ask for."""
    state: dict[str, str] = {}
    """Inputs that get an output of the call before, by its name: state. Zeros at the start, unless a file has it."""
    zeros: dict[str, Annotated[list[Annotated[int, Field(ge=0)]], Field(strict=True)]] = {}
    """Sizes of the zeros that a state starts with, where the network does not say them."""
    chunks: dict[str, Chunks] = {}
    """Inputs that are given piece by piece."""
    sample_rate: int | None = Field(default=None, ge=1)
    """Samples a second of .wav files."""
    hop_ms: float | None = Field(default=None, gt=0)
    """Time from one chunk to the next; without it, it follows from the sample rate."""
    output: str | None = None
    """The output that is judged; the first without it."""
    error: Literal["signal", "decisions", "labels"] = "signal"
    """`signal`: the root mean square of what the output differs by from the float network's, in percent of the output's
    own; `decisions`: how many percent of its decisions are others than the float network's; `labels`: how many percent
    are others than the files' `labels`. A decision is the largest along the last axis, or with `threshold` of every
    value whether it exceeds that."""
    threshold: float | None = None
    """The value that a yes exceeds; without it, decisions are between the values of the last axis."""
    calibrate: int = Field(default=8, ge=1)
    """Files that ranges are taken from: so many, spread over the folder."""


def read_settings(folder: Path) -> DataSettings:
    """What `data.yaml` in a folder says; the defaults without one. Raises InputError with file, line and column."""
    path = folder / FILE
    return validate(read_document(path), DataSettings) if path.is_file() else DataSettings()
