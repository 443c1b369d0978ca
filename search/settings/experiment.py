"""What a search is: one YAML file, from which it can be repeated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from quant.sites.delta_pair import MOST_THRESHOLD
from search.methods.ddpg.settings import AgentSettings
from search.methods.method import ChecksSettings, LearnsElsewhere
from search.methods.registry import METHODS, method_named
from search.objectives import OBJECTIVES, Objective
from search.objectives.registry import objectives_named
from search.settings.beacon_settings import BeaconSettings
from search.settings.candidate_source import SweepCandidates
from search.settings.clipping import Clipping, check_codebook_costs
from search.settings.constraints import Constraints
from search.settings.experiment_source import Origin, with_options
from search.settings.fidelity_settings import FidelitySettings
from search.settings.finetune_settings import FinetuneSettings
from search.space.hardware_variants import HardwareBlock
from simulators.inputs.documents import read_document, validate
from simulators.inputs.errors import InputError
from simulators.inputs.fields import whole
from simulators.inputs.shipped import data_folder
from simulators.inputs.source_locations import Document, KeyedError

AREA_OF_ONE = "one hardware has one area: name several to choose from (hardware), or leave the objective out"
LEARNS_NOTHING = "method {} learns nothing from errors of other runs: surrogate and additive do"
NO_VARIANTS = "a closed form knows no variants of hardware"
AGENT = "haq-ddpg"
"""The method that the key `agent` is for."""
Threshold = Annotated[int, BeforeValidator(whole), Field(ge=0, le=MOST_THRESHOLD)]
GIVEN = ":"
"""What is in the name `module:Class` of a method that was given in Python, and in no name of a registered one."""


class Experiment(BaseModel):
    """Settings of one search; operators and sizes default to MOHAQ's (Rezk et al. 2022, section 5)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80)
    """What the search is called in tables and plots."""
    model: str = "sru"
    """A shipped checkpoint's name, a .safetensors file, or an .onnx file, with `data`."""
    data: str | None = None
    """Folder of what a network of one's own is given; null: the model is a recogniser, with a corpus."""
    weights: str | None = None
    """A file of weights that a retraining of such a network left, in the place of its own; null: its own."""
    corpus_root: str | None = None
    """Folder of a corpus in TIMIT's layout to evaluate on; null: the embedded corpus."""
    every: int = Field(default=1, ge=1, le=10_000)
    """Only every so-manyth utterance is evaluated: a search that takes a fraction of the time, on a rougher error."""
    arch: str = "bitfusion"
    """A shipped spec's name or a YAML file."""
    set: tuple[str, ...] = Field(default=(), strict=False)
    """Changes to the spec, as `--set` takes them."""
    objectives: tuple[str, ...] = Field(default=("error", "latency", "energy"), min_length=1, strict=False)
    """Names in the table of objectives (`search.objectives`), which says of each whether it is minimised or maximised
    and what it needs."""
    hardware: tuple[HardwareBlock, ...] = Field(default=(), strict=False)
    """Variants of the hardware, for `mohaq sweep`, or as genes of a search; one block alone needs no list."""
    candidates: SweepCandidates | None = None
    """The candidates of a sweep; null: what a search on each variant looks at."""
    constraints: Constraints = Constraints(error_increase=8.0)
    minimum_activation_bits: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Sites whose activations are lifted to at least this width (MOHAQ: the output layer, 4)."""
    fixed: dict[str, str] = {}
    """Sites that are not searched, or patterns of them, and their bits: `U*: 16` skips the recurrent paths (Shrink and
    Eliminate, Rezk et al. 2020)."""
    thresholds: dict[str, Annotated[tuple[Threshold, ...], Field(min_length=1, max_length=64, strict=False)]] = {}
    """Sites of a delta network, or patterns of sites that share a threshold, and the thresholds to choose from, in
    1/256: what differs from what was sent last by less is not sent. Costs are those of the evaluated utterances."""
    clipping: Clipping = Clipping()
    beacons: BeaconSettings | None = None
    """Beacon-based search; null: inference-only."""
    finetune: FinetuneSettings | None = None
    """Retraining of every candidate before it is evaluated; null: none."""
    fidelity: FidelitySettings | None = None
    """Candidates are evaluated on growing shares of the utterances; null: on all of them at once."""
    method: str = "surrogate"
    """Which candidates are asked for next: a name among the methods of search (`search.methods`)."""
    agent: AgentSettings | None = None
    """Sizes and rates of the method haq-ddpg; null: HAQ's."""
    learn_from: tuple[str, ...] = Field(default=(), strict=False)
    """Folders of other runs, of other models or corpora, whose errors say what to expect of the sites here."""
    steps: int = Field(default=300, ge=1, le=1 << 20)
    """Frames of the utterance that is simulated: 300 are three seconds."""
    population: int = Field(default=40, ge=2, le=100_000)
    """Candidates of the initial population."""
    offspring: int = Field(default=10, ge=1, le=100_000)
    """Candidates of each later generation."""
    generations: int = Field(default=60, ge=0, le=1_000_000)
    """Generations of offspring after the initial population."""
    crossover_eta: float = Field(default=3.0, gt=0)
    """Distribution index of simulated binary crossover: a large one keeps children close to their parents."""
    mutation_eta: float = Field(default=3.0, gt=0)
    """Distribution index of polynomial mutation: a large one makes small steps."""
    seed_homogeneous: bool = True
    """Whether the initial population holds the candidates of one width for everything."""
    seed_neighbours: bool = True
    """Whether it also holds what the narrowest feasible of those becomes if one gene alone is a step narrower."""
    confirm: bool = False
    """Whether near-ties of a search on a part of dev (`every`) are evaluated on all of it before the front is drawn."""
    published: Literal["memory", "silago", "bitfusion"] | None = None
    """Which of MOHAQ's experiments this is: its claims are set beside what was found (`search.runs.mohaq_claims`)."""
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    """What everything random follows from."""
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

    @model_validator(mode="before")
    @classmethod
    def _budget_is_a_constraint(cls, data: Any) -> Any:
        if isinstance(data, dict) and "budget" in data:
            raise ValueError("budget: it stands under constraints, as in constraints: {budget: {latency: 0.6}}")
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_objectives()
        self._check_method()
        self._check_data()
        if self.finetune is not None and self.beacons is not None:
            raise ValueError("finetune: every candidate is retrained: there are no beacons beside")
        if self.hardware and self.retraining is not None:
            key = "finetune" if self.beacons is None else "beacons"
            raise ValueError(f"{key}: a co-design (hardware) is inference-only")
        if self.hardware and self.constraints.budget is not None:
            raise ValueError("constraints: budget: it is for searches on one piece of hardware, whose 8 bits it is of")
        if self.fidelity is not None:
            self._check_fidelity()
        self._check_thresholds()
        self._check_codebooks()
        if self.hardware and self.confirm:
            raise ValueError("confirm: it is for searches on one piece of hardware")
        if self.constraints.error is not None and self.constraints.error_increase is not None:
            raise ValueError("constraints: error and error_increase exclude each other")
        return self

    def _check_data(self) -> None:
        if self.data is None:
            if self.weights is not None:
                raise ValueError("weights: they are those of a network with data of its own")
            if self.model.endswith(".onnx"):
                raise ValueError(f"model: {self.model}: data is missing: the folder of what the network is given")
            return
        if not self.model.endswith(".onnx"):
            raise ValueError(f"data: it is for an .onnx file; a module of Python only --model names, not {self.model}")
        for key, given in (("corpus_root", self.corpus_root is not None), ("every", self.every != 1)):
            if given:
                raise ValueError(f"{key}: it is of a corpus, and a network with data of its own has none")

    def _check_fidelity(self) -> None:
        if self.hardware or self.retraining is not None:
            raise ValueError("fidelity: it is for searches on one piece of hardware, of which nothing is retrained")
        of_errors = [objective.name for objective in self.resolved_objectives if objective.needs_error]
        if of_errors not in (["error"], ["error_plain"]):
            rule = "of the objectives error or error_plain must be the only one of errors"
            raise ValueError(f"fidelity: {rule}, not {', '.join(of_errors) or 'none'}")

    def _check_thresholds(self) -> None:
        if not self.thresholds:
            return
        for pattern, values in self.thresholds.items():
            if len({*values}) < len(values):
                raise ValueError(f"thresholds.{pattern}: one is named twice")
        for key in ("finetune", "fidelity"):
            if getattr(self, key):
                raise ValueError(f"thresholds: they do not go with {key}")
        if self.constraints.budget is not None:
            raise ValueError("thresholds: they do not go with constraints.budget: costs come with the errors")
        if self.method == AGENT:
            raise ValueError(f"thresholds: the method {AGENT} chooses bits alone")

    def _check_codebooks(self) -> None:
        if not self.clipping.has_codebooks:
            return
        for key in ("hardware", "beacons", "finetune", "thresholds", "data"):
            if getattr(self, key):
                raise ValueError(f"clipping.weights: kmeans: codebooks do not go with {key}")
        check_codebook_costs(self.resolved_objectives, self.constraints.budget)

    def _check_objectives(self) -> None:
        columns: dict[str, str] = {}
        for i, name in enumerate(self.objectives):
            if name not in OBJECTIVES:
                raise ValueError(f"objectives.{i}: {OBJECTIVES.unknown(name)}")
            objective = OBJECTIVES.get(name)
            if self.hardware and objective.needs_dram:
                raise ValueError(f"objectives.{i}: {name}: it is for searches on one piece of hardware")
            if not objective.applies(bool(self.hardware)):
                raise ValueError(f"objectives.{i}: {NO_VARIANTS if self.hardware else AREA_OF_ONE}")
            if name in columns.values():
                raise ValueError(f"objectives: one is named twice in {', '.join(self.objectives)}")
            if objective.column in columns:
                other = columns[objective.column]
                raise ValueError(f"objectives.{i}: its column {objective.column} in files is that of {other} too")
            columns[objective.column] = name

    def _check_method(self) -> None:
        if GIVEN in self.method:
            return
        if self.method not in METHODS:
            raise ValueError(f"method: {METHODS.unknown(self.method)}")
        if self.agent is not None and self.method != AGENT:
            raise ValueError(f"agent: it is for the method {AGENT}, and the method is {self.method}")
        method = method_named(self.method)
        if isinstance(method, ChecksSettings):
            method.check(self, len(self.objectives))
        if self.learn_from and not isinstance(method, LearnsElsewhere):
            raise ValueError(f"learn_from: {LEARNS_NOTHING.format(self.method)}")

    @property
    def resolved_objectives(self) -> tuple[Objective, ...]:
        """The objectives that `objectives` names."""
        return objectives_named(self.objectives)

    @property
    def retraining(self) -> BeaconSettings | None:
        """How candidates are retrained, be it a few of them or each; None: not at all."""
        if self.finetune is None:
            return self.beacons
        return BeaconSettings(epochs=self.finetune.epochs, learning_rate=self.finetune.learning_rate)

    @property
    def needs_error(self) -> bool:
        """Whether candidates have to be evaluated: for an objective or for a limit."""
        limits = self.constraints.error, self.constraints.error_increase
        return any(o.needs_error for o in self.resolved_objectives) or any(limit is not None for limit in limits)

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
        return cls.of_document(document)

    @classmethod
    def of_document(cls, document: Document) -> "Experiment":
        """The experiment that a document holds. Raises InputError with the place of what is wrong with it."""
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
