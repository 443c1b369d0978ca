"""What a search is: one YAML file, from which it can be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from search.evaluation.beacons import BeaconSettings
from search.settings.experiment_source import Origin, with_options
from search.space.hardware_variants import HardwareBlock
from simulators.inputs.documents import read_document, validate
from simulators.inputs.errors import InputError
from simulators.inputs.shipped import data_folder
from simulators.inputs.source_locations import Document, KeyedError, under

Objective = Literal["error", "latency", "energy", "memory", "mohaq_speedup", "mohaq_energy", "area"]
Method = Literal["nsga2", "nsga3", "age-moea", "surrogate", "random", "greedy"]


AREA_OF_ONE = "one hardware has one area: name several to choose from (hardware), or leave the objective out"


class Constraints(BaseModel):
    """Limits on a candidate. One that is not named does not bind."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    memory_mib: Annotated[float, Field(gt=0)] | None = None
    """Weights at their bits and vectors at 16, in MiB. What exceeds it is not evaluated on speech at all."""
    error: Annotated[float, Field(gt=0)] | None = None
    """Largest phone error rate in percent."""
    error_increase: Annotated[float, Field(gt=0)] | None = None
    """Largest increase over the 16-bit baseline in percentage points (MOHAQ: 8)."""


class Clipping(BaseModel):
    """Where weights and activations are clipped: see `quant.arithmetic.clipping`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    weights: Literal["mse", "max", "percentile", "aciq-laplace", "aciq-gauss"] = "mse"
    activations: Literal["mse", "max", "percentile", "median"] = "mse"
    per_channel: bool = False
    """Whether every output channel has a step of its own."""


class Candidates(BaseModel):
    """Where a sweep's candidates come from: a finished run, a list, or chance. A name alone is a run's, a list alone
    one of bits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run: str | None = None
    """Folder of a search, whose ledger is read too."""
    take: Literal["front", "evaluated"] = "front"
    """Of that run."""
    bits: tuple[str, ...] = Field(default=(), strict=False)
    """As `mohaq evaluate --bits` takes them."""
    random: int | None = Field(default=None, ge=1, le=1_000_000)
    """So many distinct ones, of what any of the hardware offers."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"run": data}
        if isinstance(data, list | tuple):  # `8` is a number in YAML
            return {"bits": [str(bits) if type(bits) is int else bits for bits in data]}
        return data

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.run is not None) + bool(self.bits) + (self.random is not None) != 1:
            raise ValueError("expected one of run, bits and random")
        return self


class Experiment(BaseModel):
    """Settings of one search; operators and sizes default to MOHAQ's (Rezk et al. 2022, section 5)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80)
    model: str = "sru"
    """A shipped checkpoint's name or a .safetensors file."""
    corpus_root: str | None = None
    """Folder of a corpus in TIMIT's layout to evaluate on; null: the embedded corpus."""
    every: int = Field(default=1, ge=1, le=10_000)
    """Only every so-manyth utterance is evaluated: a search that takes a fraction of the time, on a rougher error."""
    arch: str = "bitfusion"
    """A shipped spec's name or a YAML file."""
    set: tuple[str, ...] = Field(default=(), strict=False)
    """Changes to the spec, as `--set` takes them."""
    objectives: tuple[Objective, ...] = Field(default=("error", "latency", "energy"), min_length=1, strict=False)
    """All are minimised but `mohaq_speedup`, which is maximised. `mohaq_energy` is SiLago's closed form;
    `area` needs `hardware`."""
    hardware: tuple[HardwareBlock, ...] = Field(default=(), strict=False)
    """Variants of the hardware, for `mohaq sweep`, or as genes of a search; one block alone needs no list."""
    candidates: Candidates | None = None
    """Of a sweep; null: what a search on each variant looks at."""
    constraints: Constraints = Constraints(error_increase=8.0)
    minimum_activation_bits: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Sites whose activations are lifted to at least this width (MOHAQ: the output layer, 4)."""
    fixed: dict[str, str] = {}
    """Sites that are not searched, or patterns of them, and their bits: `U*: 16` skips the recurrent paths (Shrink and
    Eliminate, Rezk et al. 2020)."""
    clipping: Clipping = Clipping()
    beacons: BeaconSettings | None = None
    """Beacon-based search; null: inference-only."""
    method: Method = "surrogate"
    """Which candidates are asked for next: see `search.methods.pymoo_methods`."""
    steps: int = Field(default=300, ge=1, le=1 << 20)
    """Frames of the utterance that is simulated: 300 are three seconds."""
    population: int = Field(default=40, ge=2, le=100_000)
    offspring: int = Field(default=10, ge=1, le=100_000)
    generations: int = Field(default=60, ge=0, le=1_000_000)
    """Generations of offspring after the initial population."""
    crossover_eta: float = Field(default=3.0, gt=0)
    mutation_eta: float = Field(default=3.0, gt=0)
    seed_homogeneous: bool = True
    """Whether the initial population holds the candidates of one width for everything."""
    seed_neighbours: bool = True
    """Whether it also holds what the narrowest feasible of those becomes if one gene alone is a step narrower."""
    published: Literal["memory", "silago", "bitfusion"] | None = None
    """Which of MOHAQ's experiments this is: its claims are set beside what was found (`search.runs.mohaq_claims`)."""
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @field_validator("fixed", mode="before")
    @classmethod
    def _words(cls, data: Any) -> Any:
        """`U*: 16` is a number in YAML."""
        if not isinstance(data, dict):
            return data
        return {site: str(bits) if type(bits) is int else bits for site, bits in data.items()}

    @field_validator("hardware", mode="before")
    @classmethod
    def _blocks(cls, data: Any) -> Any:
        return [data] if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for i, objective in enumerate(self.objectives):
            if objective == "area" and not self.hardware:
                raise ValueError(f"objectives.{i}: {AREA_OF_ONE}")
            if self.hardware and objective.startswith("mohaq_"):
                raise ValueError(f"objectives.{i}: a closed form knows no variants of hardware")
        if self.hardware and self.beacons is not None:
            raise ValueError("beacons: a co-design (hardware) is inference-only")
        if len({*self.objectives}) < len(self.objectives):
            raise ValueError(f"objectives: one is named twice in {', '.join(self.objectives)}")
        if self.method == "nsga3" and self.population < len(self.objectives):
            raise ValueError(f"population: {self.population}: nsga3 needs one for each of its objectives, at least")
        if self.constraints.error is not None and self.constraints.error_increase is not None:
            raise ValueError("constraints: error and error_increase exclude each other")
        return self

    @classmethod
    def load(cls, name: str | Path, changes: Mapping[str, Any] | None = None) -> "Experiment":
        """Read a file, or a shipped experiment by its name; a run's `run.yaml` repeats that run. `changes` replace
        keys.

        Raises InputError with file, line, column and key.
        """
        document = read_document(find_experiment(str(name)))
        if isinstance(document.data, dict) and "experiment" in document.data:
            inside = {path[1:]: place for path, place in document.places.items() if path[:1] == ("experiment",)}
            document = Document(document.source, document.data["experiment"], inside)
        if changes and isinstance(document.data, dict):
            document = with_options(document, changes)
        experiment = validate(document, cls)
        experiment._origin = Origin(document)
        return experiment

    def placed(self, error: KeyedError) -> InputError:
        """An error under one of its keys, with file, line and column if it came from a file."""
        document = self._origin.document
        return error if document is None else document.placed(error)

    def to_yaml(self) -> str:
        """The experiment with every default written out."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, default_flow_style=None)

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class ExperimentModel:
    """Makes an experiment's model, here or in another process, which may have another working folder."""

    model: str
    corpus_root: Path | None
    clipping: Clipping
    every: int

    @classmethod
    def of(cls, experiment: Experiment) -> Self:
        file = Path(experiment.model)
        root = experiment.corpus_root
        return cls(
            str(file.resolve()) if file.is_file() else experiment.model,
            None if root is None else Path(root).resolve(), experiment.clipping, experiment.every,
        )  # fmt: skip

    def __call__(self) -> Any:
        """Raises InputError if there is no such model or corpus."""
        from quant import Scheme, load_model

        with under("model"):
            return load_model(self.model, self.corpus_root, Scheme(**self.clipping.model_dump()), every=self.every)


def find_experiment(name: str) -> Path:
    """A file, or a shipped experiment: beside the packages in a checkout, inside this package when installed."""
    path = Path(name)
    if path.is_file():
        return path
    folder = data_folder("experiments", Path(__file__).resolve().parents[1])
    shipped = sorted(file.stem for file in folder.glob("*.yaml"))
    if path.parent in (Path("."), Path("experiments")) and path.stem in shipped and path.suffix in ("", ".yaml"):
        return folder / f"{path.stem}.yaml"
    raise InputError(f"{name}: no such experiment: neither a file nor a shipped name ({', '.join(shipped)})")
