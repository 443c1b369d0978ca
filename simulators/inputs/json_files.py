"""JSON that is read back: bounded before it is parsed, then checked against a model of all that is used of it.

`documents` reads YAML, and JSON as a part of it, with the place of every value, at a hundredth of this speed: a place
is only looked for where a value is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel

from simulators.inputs.bounded_files import read_text
from simulators.inputs.documents import MAX_BYTES, parse_document, validate
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import Document

MOST_CONTAINERS = 1_000_000
MOST_VALUES = 4_000_000
"""About a gigabyte as Python's objects."""
MOST_DEPTH = 64

_Model = TypeVar("_Model", bound=BaseModel)


def read_json(path: Path, model: type[_Model], most: int = MAX_BYTES) -> _Model:
    """A file of at most so many bytes as a model. Raises InputError with file, place, value and rule."""
    return json_as(model, read_text(path, most), str(path))


def json_as(model: type[_Model], text: str, source: str) -> _Model:
    """JSON text as a model; `source` names it in messages. Raises InputError with place, value and rule."""
    data = parse_json(text, source)
    try:
        return validate(Document(source, data), model)
    except InputError as error:
        try:
            placed = parse_document(text, source)
        except InputError:  # larger than what is read with places
            raise error from None
        return validate(placed, model)


def parse_json(text: str, source: str) -> Any:
    """Dictionaries, lists, strings, numbers, booleans and None. Raises InputError for text that is not JSON (`NaN` is
    not), and for more, deeper or longer values than are read."""
    if text.count("[") + text.count("{") > MOST_CONTAINERS or text.count(",") > MOST_VALUES:
        raise InputError(f"{source}: more than {MOST_CONTAINERS:,} lists and mappings, or {MOST_VALUES:,} values")

    def no_constant(name: str) -> NoReturn:
        raise InputError(f"{source}: {name}: expected a finite number")

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in made if keys.count(key) > 1)
            raise InputError(f"{source}: {twice[:60]!r}: duplicate key")
        return made

    try:
        data = json.loads(text, parse_constant=no_constant, object_pairs_hook=mapping)
    except json.JSONDecodeError as error:
        raise InputError(f"{source}:{error.lineno}:{error.colno}: not JSON: {error.msg.lower()}") from None
    except RecursionError:
        raise InputError(f"{source}: nested deeper than {MOST_DEPTH}") from None
    except InputError:
        raise
    except ValueError as error:  # a number of more digits than Python reads
        raise InputError(f"{source}: {str(error).partition(':')[0].lower()}") from None
    if _is_deeper(data, MOST_DEPTH):
        raise InputError(f"{source}: nested deeper than {MOST_DEPTH}")
    return data


def _is_deeper(data: Any, depth: int) -> bool:
    level = [data]
    for _ in range(depth + 1):
        level = [inner for value in level if isinstance(value, dict | list)
                 for inner in (value.values() if isinstance(value, dict) else value)]  # fmt: skip
        if not level:
            return False
    return True
