"""YAML and JSON text with the line and column of every value, so that an error can say where.

One reader serves traces and architecture specs. It follows YAML 1.2's core rules for plain scalars, not PyYAML's YAML
1.1: `1e3` is a number, `on` and `1:30` are strings, and a leading zero (`010`, octal in 1.1 and decimal in 1.2) is
refused rather than guessed. JSON is read as the subset of YAML that it is. Duplicate keys, tags, merge keys, deep
nesting and alias bombs are refused: size is bounded before anything is built.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from simulators.inputs.bounded_files import read_text
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import Document, Elsewhere, KeyPath, Position, dotted, shown

MAX_BYTES = 8 << 20
MAX_DEPTH = 32
MAX_VALUES = 200_000
MAX_NUMBER = 300
"""Characters of a number."""
MOST_OF_RULE = 500
"""Characters of a rule in a message."""

_INTEGER = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}
_MAPPING = "expected a mapping of keys to values"
_PLAIN = dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), _MAPPING) | {
    "tuple_type": "expected a list",
    "string_type": "expected a text",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
}
"""What pydantic says in words of Python, in words of a file."""
_PATTERNS = {
    r"^[^\s,:]+$": "expected a name without spaces, commas and colons",
    r"^[^\s,:/]+$": "expected a name without spaces, commas, colons and slashes",
    r"^[0-9a-f]+$": "expected hexadecimal digits, in lower case",
}
"""What a regular expression says, in words."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Model = TypeVar("_Model", bound=BaseModel)


def read_document(path: Path) -> Document:
    """Parse a file. Raises InputError with file, line and column for anything that is not plain, bounded YAML or
    JSON.
    """
    document = parse_document(read_text(path, MAX_BYTES), str(path))
    if document.data is None:
        raise InputError(f"{path}: the file is empty: expected a mapping of keys to values")
    return document


def parse_document(text: str, source: str) -> Document:
    """Parse text; `source` names it in messages."""
    return _Builder(text, source).build()


class _Builder:
    """Builds values from parser events, so that depth and size are known before a value exists."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.events = self._events(text)
        self.places: dict[KeyPath, Position] = {}
        self.anchors: dict[str, tuple[Any, int, int]] = {}
        self.values = 0
        self.characters = 0

    def _events(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{self.source}:{mark.line + 1}:{mark.column + 1}" if mark else self.source
            raise InputError(f"{where}: {' '.join(str(error.problem or error.context).split())}") from None
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"{self.source}: {' '.join(str(error).split())}") from None

    def position(self, event: Any) -> Position:
        return self.source, event.start_mark.line + 1, event.start_mark.column + 1

    def fail(self, event: Any, text: str) -> InputError:
        return Document(self.source, None, {(): self.position(event)}).error((), text)

    def build(self) -> Document:
        data: Any = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.fail(event, "a file holds one document")
                data = self.value(next(self.events), ())
        return Document(self.source, data, {**self.places})

    def value(self, event: Any, path: KeyPath) -> Any:
        self.values += 1
        self.check_size(event)
        if len(path) > MAX_DEPTH:
            raise self.fail(event, f"nested deeper than {MAX_DEPTH}")
        self.places[path] = self.position(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.fail(event, f"alias *{event.anchor} stands before the end of what it names")
            data, values, characters = self.anchors[event.anchor]
            self.values += values
            self.characters += characters
            self.check_size(event)
            return data
        if event.tag is not None and event.tag != "!":
            raise self.fail(event, f"tag {event.tag}: tags are not used here")
        values, characters = self.values, self.characters
        data = self.scalar(event) if isinstance(event, yaml.ScalarEvent) else self.collection(event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = (data, self.values - values, self.characters - characters)
        return data

    def check_size(self, event: Any) -> None:
        if self.values > MAX_VALUES or self.characters > MAX_BYTES:
            rule = f"more than {MAX_VALUES} values or {MAX_BYTES} characters, aliases counted as often as they are used"
            raise self.fail(event, rule)

    def collection(self, start: Any, path: KeyPath) -> Any:
        if isinstance(start, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                items.append(self.value(event, (*path, len(items))))
            return items
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.fail(event, "a key is a plain word")
            if event.value in mapping:
                line = self.places[(*path, event.value)][1]
                raise self.fail(event, f"{dotted((*path, event.value))}: duplicate key, first given in line {line}")
            self.characters += len(event.value)
            mapping[event.value] = None
            value = next(self.events)
            mapping[event.value] = self.value(value, (*path, event.value))
            if self.position(value)[1] > self.position(event)[1]:  # a block is found by the key above it
                self.places[*path, event.value] = self.position(event)
        return mapping

    def scalar(self, event: Any) -> Any:
        text = event.value
        self.characters += len(text)
        if event.style is not None and event.style != "":
            return text
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE"):
            return True
        if text in ("false", "False", "FALSE"):
            return False
        if text.lower() in _SPECIAL:
            return _SPECIAL[text.lower()]
        if _LEADING_ZERO.fullmatch(text):
            raise self.fail(event, f"{text[:40]}: a leading zero means octal to some readers: leave it out or quote it")
        if len(text) > MAX_NUMBER and (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
            raise self.fail(event, f"{text[:40]}...: a number of {len(text)} characters")
        if _INTEGER.fullmatch(text):
            return int(text, 0)
        return float(text) if _FLOAT.fullmatch(text) else text


def parse_scalar(text: str) -> Any:
    """The value of a command-line override (`64`, `1e3`, `[1, 2]`, `text`), read by the same rules as a file."""
    return parse_document(text, "--set").data


def validate(document: Document, model: type[_Model]) -> _Model:
    """Make `model` of a document; InputError names place, key path, value, rule and, for a misspelt key, the nearest
    one.
    """
    if not isinstance(document.data, dict):
        raise document.error((), f"{shown(document.data)}: {_MAPPING}")
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # A misspelt key is reported as such, not as the absence of the right one.
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    path: KeyPath = ()
    data: Any = document.data
    for part in first["loc"]:  # skips what pydantic inserts and the file does not hold, such as a union's tag
        if part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data)):
            data = data[part]
            path = (*path, part)
    if first["type"] == "extra_forbidden":
        names = _field_names(model, path[:-1], document.data)
        near = difflib.get_close_matches(str(path[-1]), names, 1, 0.5)
        place = document.places.get(path)
        # Where one word names the whole key, as in `--set array.rowz=3`, so does the hint.
        above = path[:-1] if isinstance(place, Elsewhere) or (place and place[1] == 0) else ()
        hint = f"did you mean {dotted((*above, near[0]))}?" if near else f"the keys here are {', '.join(sorted(names))}"
        raise document.error(path, f"unknown key; {hint}", of_key=True) from None
    if first["type"] == "missing":
        raise document.error((*path, first["loc"][-1]), "missing, and there is no default") from None
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        raise _kind_error(document, path, first["ctx"]) from None
    if first["type"] == "too_short":
        least = first["ctx"]["min_length"]
        first = {**first, "msg": f"expected at least {least} {'entry' if least == 1 else 'entries'}"}
    if first["type"] == "string_pattern_mismatch" and first["ctx"]["pattern"] in _PATTERNS:
        first = {**first, "msg": _PATTERNS[first["ctx"]["pattern"]]}
    rule = _PLAIN.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    # A rule about several keys is checked above them; it begins with the one to change.
    key, colon, rest = rule.partition(": ")
    inner = tuple(int(part) if part.isdecimal() and len(part) < 10 else part for part in key.split("."))
    if colon and all(isinstance(part, str) for part in path) and (*path, *inner) in document.places:
        for part in inner:
            data = data[part]
        path, rule = (*path, *inner), rest.removeprefix(f"{data}: ")
    rule = rule if len(rule) <= MOST_OF_RULE else f"{rule[:MOST_OF_RULE]}..."  # it may hold a key without end
    raise document.error(path, f"{shown(data)}: {rule[0].lower()}{rule[1:]}" if rule else shown(data)) from None


def _kind_error(document: Document, path: KeyPath, told: Mapping[str, Any]) -> InputError:
    """The error for a mapping whose key that says its kind is missing, or names none; `told` is pydantic's context."""
    key = told["discriminator"].strip("'")
    if "tag" not in told:
        return document.error((*path, key), "missing, and there is no default")
    kinds = told["expected_tags"].replace("'", "")
    near = difflib.get_close_matches(told["tag"], kinds.split(", "), 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return document.error((*path, key), f"{shown(told['tag'])}: it must be one of {kinds}{hint}")


def _field_names(model: type[BaseModel], path: KeyPath, data: Any) -> set[str]:
    """The keys that a model takes at a path; where the path passes a union, those of every member that fits its tag."""
    models: list[type[BaseModel]] = [model]
    for part in path:
        data = data[part]
        if isinstance(part, str):
            found = [m.model_fields[part].annotation for m in models if part in m.model_fields]
            models = [m for annotation in found for m in _models_in(annotation)]
        if isinstance(data, dict) and "op" in data:
            fits = [m for m in models if "op" in m.model_fields]
            models = [m for m in fits if data["op"] in get_args(m.model_fields["op"].annotation)] or models
    return {name for m in models for name in m.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in get_args(annotation) for m in _models_in(argument)]
