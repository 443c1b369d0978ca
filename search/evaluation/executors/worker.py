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
from typing import Any

from quant.sites.candidate import Bits, name_of
from search.evaluation.model import Model, Retrainable, code_of
from simulators.inputs import plugins
from simulators.inputs.errors import InputError
from simulators.inputs.plugins import Plugin, SentPlugins

Group = Sequence[Bits]
Recognised = tuple[list[tuple[float, float]], float]
"""Error rates in percent of a group's candidates (the worst subset's, that of all), and seconds that each took."""


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
class Recognition:
    """Evaluates a group of candidates: here with the model at hand, elsewhere with the one that its source makes."""

    model: Model
    source: Source

    def __call__(self, group: Group) -> Recognised:
        started = time.perf_counter()
        rates = self.model.evaluate_population(group)
        errors = [
            (_number(rate.error_max, bits), _number(rate.error, bits)) for rate, bits in zip(rates, group, strict=True)
        ]
        return errors, (time.perf_counter() - started) / len(group)


def _number(error: Any, bits: Bits) -> float:
    """An error that a model measured, which may be a scalar of NumPy or torch."""
    try:
        return float(error)
    except (TypeError, ValueError):
        name, kind = name_of(bits), type(error).__name__
        raise InputError(f"{name}: the model measured an error of type {kind}: it must be a number") from None


_models: dict[str, Model] = {}
_at_once = threading.RLock()
"""A process evaluates one group at a time, for models keep what candidates share."""


def loaded(source: Source) -> Model:
    """The model of a source, made at the first call in a process. Raises InputError where it is not the driver's."""
    with _at_once:
        if source.key not in _models:
            model = source.make()
            if source.installed_code != _installed_code(model):
                raise InputError("a worker runs another version of mohaq's code than this search: restart the workers")
            for what, ours, theirs in (("model", model.digest, source.digest),
                                       ("data", model.data_digest, source.data_digest)):  # fmt: skip
                if ours != theirs:
                    raise InputError(f"a worker has another {what} than this search: digest {ours}, not {theirs}")
            _models[source.key] = model
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
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):  # of what is imported later …
        os.environ[variable] = str(threads)
    for library in ("torch", "numba"):  # … and of what is there
        if library in sys.modules:
            sys.modules[library].set_num_threads(threads)


@dataclass(frozen=True)
class _Given:
    """Makes a model by having it."""

    model: Model

    def __call__(self) -> Model:
        return self.model
