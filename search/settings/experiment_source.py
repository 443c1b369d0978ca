"""Where an experiment was read from, so that what is found to be wrong with it later is said of its file's line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from simulators.inputs.source_locations import Document, KeyedError, Place

_OPTIONS = {"corpus_root": "--root"}
"""Options whose names are not those of their keys."""
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Origin:
    """Where an experiment was read from. All are equal: equal experiments are so wherever they stand."""

    document: Document | None = field(default=None, compare=False)
    """None: Python made it."""


def with_options(document: Document, options: Mapping[str, Any]) -> Document:
    """A file's document with values from the command line in place of some keys', each found at its option."""
    replaced = {(key,) for key in options}
    places: dict[Any, Place] = {path: place for path, place in document.places.items() if path[:1] not in replaced}
    for key, value in options.items():
        option = (_OPTIONS.get(key, f"--{key.replace('_', '-')}"), 0, 0)
        places |= {(key,): option}
        if isinstance(value, list | tuple):
            places |= {(key, i): option for i in range(len(value))}
    return Document(document.source, {**document.data, **options}, places)


def located(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Give the errors of a function whose first argument is an experiment their places in its file."""

    @wraps(function)
    def wrapper(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except KeyedError as error:
            experiment: Any = args[0] if args else kwargs["experiment"]
            raise experiment.placed(error) from None

    return wrapper
