"""A model in another process: how it is made there, checked against the driver's, and asked.

Tasks carry a candidate and the key of a source. The source itself, which may hold a whole model, travels once to each
process, and the model is made once there.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from quant.sites.candidate import Bits
from search.evaluation.model import (
    CountedError,
    HasDeltas,
    HasSplits,
    HasUtterances,
    KeepsResults,
    MeasuredError,
    Model,
    Retrainable,
    code_of,
)
from search.evaluation.sending_group import SendingGroup
from search.evaluation.sent_costs import CannotRun, SentCosts, sent_costs
from simulators.inputs import plugins
from simulators.inputs.errors import InputError
from simulators.inputs.plugins import Plugin, SentPlugins
from simulators.inputs.source_locations import shown

Group = Sequence[Bits]


class Measured(NamedTuple):
    """What a model measured of one candidate."""

    error: float
    """Error rate in percent, the worst subset's."""
    error_plain: float
    """Error rate in percent of all data."""
    edits: tuple[int, ...] = ()
    """Edits of each utterance, where the model counts them."""
    sent: tuple[SentCosts | CannotRun, ...] = ()
    """What it costs by what it sends, on each piece of hardware that its group names."""


Recognised = tuple[list[Measured], float]
"""What was measured of a group's candidates, and seconds that each took."""


MakeModel = Callable[[], Model]


@dataclass(frozen=True)
class Source:
    """Where a model comes from, and the plugins that this process has run.

    A process that unpickles it runs those plugins first, the text of which it is sent: what is pickled with them, such
    as a model of a plugin's class, can be read there, on another machine too.
    """

    make: MakeModel
    """Called without arguments in another process; it must be picklable."""
    digest: str
    """Digest of the model."""
    data_digest: str
    """Digest of the data that the model is evaluated on."""
    code: str
    """Digest of the code that decides the model's errors."""
    installed_code: str
    """Digest of that code without a script's own, which is sent with the model: what a worker has by itself."""
    plugins: tuple[Plugin, ...] = field(default_factory=plugins.loaded)

    @classmethod
    def of(cls, model: Model, make: MakeModel | None = None) -> "Source":
        """The source of a model at hand, and how another process makes it; without `make`, the model is pickled."""
        code = code_of(model).digest()
        return cls(make or _Given(model), model.digest, model.data_digest, code, _installed_code(model))

    @property
    def key(self) -> str:
        """Tells it apart from other sources."""
        return f"{self.digest} {self.data_digest} {self.code}"

    def __reduce__(self) -> tuple[Callable[..., "Source"], tuple[Any, ...]]:
        # In the order in which they are read: what runs the plugins stands before what may need them.
        digests = self.digest, self.data_digest, self.code, self.installed_code
        return _restored, (SentPlugins(self.plugins), self.make, digests)


def _restored(sent: SentPlugins, make: MakeModel, digests: tuple[str, str, str, str]) -> Source:
    return Source(make, *digests, sent.plugins)


def _installed_code(model: Model) -> str:
    """See `Source.installed_code`. A script is `__main__`, which is another file in another process, and `__mp_main__`
    in a process that the script has started."""
    code = code_of(model)
    scripts = ("__main__", "__mp_main__")
    return code._replace(modules=tuple(module for module in code.modules if module not in scripts)).digest()


@dataclass(frozen=True)
class RetrainedBefore:
    """Makes a beacon's model, from its base's and the folder that the retraining left."""

    base: Source
    folder: Path

    def __call__(self) -> Model:
        base = loaded(self.base)
        assert isinstance(base, Retrainable)
        return base.retrained_before(self.folder)


@dataclass(frozen=True)
class OnSplit:
    """Makes a model that is evaluated on another split."""

    base: Source
    split: str

    def __call__(self) -> Model:
        base = loaded(self.base)
        assert isinstance(base, HasSplits)
        return base.on_split(self.split)


@dataclass(frozen=True)
class OnUtterances:
    """Makes a model that is evaluated on some of its utterances alone."""

    base: Source
    positions: tuple[int, ...]
    """Positions among the model's utterances."""

    def __call__(self) -> Model:
        base = loaded(self.base)
        assert isinstance(base, HasUtterances)
        return base.on_utterances(self.positions)


@dataclass(frozen=True)
class Recognition:
    """Evaluates a group of candidates: here with the model at hand, elsewhere with the one that its source makes."""

    model: Model
    source: Source

    def __call__(self, group: Group) -> Recognised:
        started = time.perf_counter()
        if isinstance(group, SendingGroup):
            assert isinstance(self.model, HasDeltas)
            archs = group.archs
            with_costs = [
                measured(rate)._replace(sent=sent_costs(bits, traces, archs))
                for bits, (rate, traces) in zip(group, self.model.evaluate_deltas(group), strict=True)
            ]
            return with_costs, (time.perf_counter() - started) / len(group)
        rates = self.model.evaluate_population(group)
        seconds = (time.perf_counter() - started) / len(group)
        if len(rates) != len(group):
            raise InputError(f"the model measured {len(rates)} errors for {len(group)} candidates")
        return [measured(rate) for rate in rates], seconds


def measured(rate: MeasuredError) -> Measured:
    """What a model measured, as Python numbers. Raises InputError for what is none."""
    edits: tuple[int, ...] = ()
    if isinstance(rate, CountedError):
        try:
            edits = tuple(map(int, rate.edits))
        except (TypeError, ValueError):
            rule = "they must be whole numbers, one an utterance"
            raise InputError(f"the model measured edits of {shown(rate.edits)}: {rule}") from None
    return Measured(as_number(rate.error_max), as_number(rate.error), edits)


def as_number(error: object) -> float:
    """What a model measured as a Python number, which NaN and infinity are too: a scalar of NumPy's or torch's is one.
    Raises InputError for what is none."""
    try:
        return float(error)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"the model measured an error of {shown(error)}: it must be a number") from None


MOST_MODELS = 16
"""Models that a process keeps: those of a race take ten, and one that is wanted again is made again."""
_models: dict[str, Model] = {}
"""Models of this process by their sources' keys, the one that was wanted last at the end."""
_at_once = threading.RLock()
"""A process evaluates one group at a time, for models keep what candidates share."""


def loaded(source: Source) -> Model:
    """The model of a source, made at the first call in a process, and again where many others were wanted since. Raises
    InputError where it is not the driver's."""
    with _at_once:
        if source.key not in _models:
            model = source.make()
            if source.installed_code != _installed_code(model):
                raise InputError("a worker runs another version of mohaq's code than this search: restart the workers")
            for what, ours, theirs in (("model", model.digest, source.digest),
                                       ("data", model.data_digest, source.data_digest)):  # fmt: skip
                if ours != theirs:
                    raise InputError(f"a worker has another {what} than this search: digest {ours}, not {theirs}")
            if isinstance(model, KeepsResults):  # one budget for all, the first one's, whatever searches they are of
                for other in _models.values():
                    if model.keep_results_with(other):
                        break
            while len(_models) >= MOST_MODELS:  # as retraining every candidate makes one of each
                del _models[next(iter(_models))]
            _models[source.key] = model
        _models[source.key] = _models.pop(source.key)
        return _models[source.key]


def forget(source: Source) -> None:
    """Free the model of a source."""
    with _at_once:
        _models.pop(source.key, None)


def recognise(source: Source, group: Group) -> Recognised:
    """Evaluate a group with the model of a source."""
    with _at_once:
        return Recognition(loaded(source), source)(group)


def limit_threads(threads: int) -> None:
    """Compute with so many threads in this process, no more than there are cores."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # of what is imported later …
    if "torch" in sys.modules:  # … and of what is there
        sys.modules["torch"].set_num_threads(threads)
    if (numba := sys.modules.get("numba")) is None:
        os.environ["NUMBA_NUM_THREADS"] = str(threads)
    else:  # which refuses to compile once its threads are there and the variable is another than before
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))


@dataclass(frozen=True)
class _Given:
    """Makes a model by having it."""

    model: Model

    def __call__(self) -> Model:
        return self.model
