"""What files say of a network in JSON, checked: a number that no calibration gives is refused when it is read, not met
when an error comes out as NaN."""

from math import frexp
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from quant.arithmetic.calibration import Calibration, Range
from quant.arithmetic.grid import Grid
from quant.sites.candidate import BIT_WIDTHS, FIXED_POINT_BITS

Step = Annotated[float, Field(ge=1e-30, le=1e30)]
"""Distance of two neighbouring values: 0, its inverse or its product with a code would not be finite in float32."""
Magnitude = Annotated[float, Field(ge=0)]


def _width(bits: int) -> int:
    if bits not in BIT_WIDTHS:
        raise ValueError(f"expected one of {', '.join(map(str, BIT_WIDTHS))} bits")
    return bits


Width = Annotated[int, AfterValidator(_width)]
"""Bits of a code."""
Weight = Annotated[float, Field(ge=-1e6, le=1e6)]
"""Factor of a term of the decoder's."""


class FileRecord(BaseModel):
    """A mapping in a file: without unknown keys, NaN or silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class GridRecord(FileRecord):
    """A `quant.arithmetic.grid.Grid`."""

    bits: Width
    step: Step
    lowest: int
    highest: int

    @model_validator(mode="after")
    def _holds_its_codes(self) -> Self:
        half = 1 << (self.bits - 1)
        if not -half <= self.lowest < 0 < self.highest < half:
            raise ValueError(f"codes {self.lowest} to {self.highest}: not those of {self.bits} bits")
        return self

    def grid(self) -> Grid:
        return Grid(self.bits, self.step, self.lowest, self.highest)


class FixedPointRecord(GridRecord):
    """A grid of 16-bit fixed point."""

    @model_validator(mode="after")
    def _is_fixed_point(self) -> Self:
        if self.bits != FIXED_POINT_BITS or frexp(self.step)[0] != 0.5:
            raise ValueError(f"step: {self.step}: 16-bit fixed point has a power of two")
        return self


class RangeRecord(FileRecord):
    """A `quant.arithmetic.calibration.Range`."""

    max: Magnitude
    percentile: Magnitude
    median: Magnitude


class CalibrationRecord(FileRecord):
    """A `quant.arithmetic.calibration.Calibration` by the names of sites."""

    activations: dict[str, dict[Literal["2", "4", "8", "16"], GridRecord]]
    ranges: dict[str, RangeRecord]
    results: dict[str, FixedPointRecord]
    states: dict[str, FixedPointRecord]

    @model_validator(mode="after")
    def _of_one_width_each(self) -> Self:
        for site, grids in self.activations.items():
            for bits, grid in grids.items():
                if grid.bits > int(bits):
                    raise ValueError(f"activations.{site}.{bits}: a grid of {grid.bits} bits")
        return self

    def calibration(self) -> Calibration:
        """The calibration, without any relation to a network."""
        return Calibration(
            activations={
                site: {int(bits): grid.grid() for bits, grid in grids.items()}
                for site, grids in self.activations.items()
            },
            ranges={site: Range(**dict(values)) for site, values in self.ranges.items()},
            results={site: grid.grid() for site, grid in self.results.items()},
            states={site: grid.grid() for site, grid in self.states.items()},
        )


class DecoderRecord(FileRecord):
    """The weights of a `quant.speech.scoring.Decoder`."""

    bigram_scale: Weight
    prior_scale: Weight
    insertion: Weight


class RecipeRecord(FileRecord):
    """What is used of the recipe that a network was trained by."""

    model_config = ConfigDict(extra="allow")

    dropout: Annotated[float, Field(ge=0, lt=1)]
    frames_per_batch: Annotated[int, Field(ge=1, le=1 << 24)]
    seed: Annotated[int, Field(ge=0, lt=1 << 32)]
    epochs: Annotated[int, Field(ge=1, le=1_000_000)]


class TrainingRecord(FileRecord):
    """How a network was made: what is used of it, and more to be read."""

    model_config = ConfigDict(extra="allow")

    corpus_size: Literal["full", "small"] | None
    corpus_seed: int
    minutes: dict[str, Magnitude]
    recipe: RecipeRecord


class CheckpointRecord(FileRecord):
    """The metadata of a checkpoint."""

    format: Literal[2]
    cell: str
    units: str = "phones"
    geometry: dict[str, Any]
    decoder: DecoderRecord
    calibration: CalibrationRecord
    record: TrainingRecord


class MultiplierRecord(FileRecord):
    """A `quant.arithmetic.whole_numbers.Multiplier` of one row."""

    first: Annotated[int, Field(ge=0, le=63)]
    m: Annotated[int, Field(ge=0, le=1 << 31)]
    second: Annotated[int, Field(ge=-63, le=126)]


class SiteRecord(FileRecord):
    """A site of an exported model."""

    weight_bits: Width
    activation_bits: Width
    activations: GridRecord
    results: FixedPointRecord
    states: FixedPointRecord | None
    requantize: MultiplierRecord
    requantize_rows: bool


class SchemeRecord(FileRecord):
    """A `quant.arithmetic.clipping.Scheme`, which says itself which rules there are."""

    weights: str
    activations: str
    per_channel: bool


class OriginRecord(FileRecord):
    """The checkpoint that a model was exported from."""

    name: str
    digest: str


class ExportRecord(FileRecord):
    """What `model.json` of an exported model says."""

    format: Literal[2]
    cell: str
    units: str
    geometry: dict[str, Any]
    bits: dict[str, Annotated[tuple[Width, Width], Field(strict=False)]]
    clipping: SchemeRecord
    sites: dict[str, SiteRecord]
    vectors: dict[str, FixedPointRecord]
    decoder: DecoderRecord
    origin: OriginRecord = Field(alias="from")
    record: TrainingRecord
    tensors_sha256: str

    @model_validator(mode="after")
    def _of_one_candidate(self) -> Self:
        widths = {name: (site.weight_bits, site.activation_bits) for name, site in self.sites.items()}
        if widths != dict(self.bits):
            raise ValueError("bits: not those of its sites")
        return self
