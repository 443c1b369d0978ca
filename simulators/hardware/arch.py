"""An architecture: a platform's spec, read from YAML with `extends:` and command-line overrides, and validated.

`load_arch("bitfusion", overrides=["array.rows=64"])` reads a shipped file by name, or any file by path. A variant
file names what it extends and gives only what differs; mappings are merged key by key, everything else is replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml

from simulators.hardware.platform_registry import PLATFORMS
from simulators.hardware.spec import SAID_ONCE, PlatformSpec
from simulators.inputs.documents import MAX_DEPTH, parse_scalar, read_document, validate
from simulators.inputs.errors import InputError
from simulators.inputs.files import resolved
from simulators.inputs.shipped import SUFFIXES, find, names
from simulators.inputs.source_locations import Document, KeyPath, Place, dotted, shown

MAX_EXTENDS = 16


def split_changes(text: str) -> list[str]:
    """`bitfusion,array.rows=64,precisions=[[8,8]]` at its commas, but for those inside brackets, braces and quotes."""
    parts, depth, quote = [""], 0, ""
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and text[i - 1 : i] in ("=", "[", "{", ":", ",", " "):  # within a word it is an apostrophe
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth <= 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


@dataclass(frozen=True)
class Change:
    """A value put in place of a spec's, and who asks for it: what is wrong with it is said of that place."""

    key: str
    """The key of the spec that it sets: `array.rows`."""
    value: Any
    place: Place

    @classmethod
    def parse(cls, text: str, place: Place | None = None) -> Self:
        """The override that `array.rows=64` says, by default an option's. Raises InputError."""
        key, equals, value = text.partition("=")
        change = cls(key.strip(), None, place or (f"--set {shown(text)[1:-1]}", 0, 0))
        if not equals or not all(change.key.split(".")):
            raise change.error("expected key.path=value, as in array.rows=64")
        try:
            return replace(change, value=parse_scalar(value))
        except InputError as error:
            raise change.error(str(error)) from None

    def error(self, text: str) -> InputError:
        """What is wrong with it as a whole."""
        return Document("", None, {(): self.place}).error((), text)


@dataclass(frozen=True)
class Arch:
    """A validated architecture. Two with equal digests simulate alike."""

    spec: PlatformSpec
    source: str
    """The file it came from, for messages."""

    @property
    def name(self) -> str:
        """The spec's own name."""
        return self.spec.name

    @property
    def description(self) -> str:
        """One line about it."""
        return self.spec.description

    def to_yaml(self) -> str:
        """The resolved spec: `extends` and overrides applied, every default written out."""
        return yaml.safe_dump(self.spec.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)

    @property
    def platform(self) -> str:
        """`bitfusion`, `silago` or another that was registered: which lowering runs it."""
        return self.spec.platform

    @property
    def precisions(self) -> tuple[tuple[int, int], ...]:
        """Legal (weight bits, activation bits), in the spec's order."""
        return self.spec.precisions

    @property
    def frequency_mhz(self) -> float:
        """Clock, in MHz."""
        return self.spec.frequency_mhz

    @cached_property
    def digest(self) -> str:
        """sha256 of the resolved spec's canonical JSON."""
        return hashlib.sha256(self.spec.canonical.encode()).hexdigest()


def arch_names() -> list[str]:
    """Names of the shipped specs."""
    return names("arch_specs")


def load_arch(name: str | Path, overrides: Sequence[str | Change] = ()) -> Arch:
    """Read a spec by path or shipped name; `overrides` are changes, or texts `key.path=value`. Raises InputError with
    place, key and rule.
    """
    return arch_of(read_arch(name), overrides)


def read_arch(name: str | Path) -> Document:
    """A spec's file with all that it extends, unchecked. Raises InputError."""
    return _resolve(find("arch_specs", str(name)), ())


def arch_of(read: Document, overrides: Sequence[str | Change] = ()) -> Arch:
    """`load_arch` of what was read, which stays as it is."""
    document = Document(read.source, deepcopy(read.data), dict(read.places))
    put: set[str] = set()
    for change in overrides:
        parsed = Change.parse(change) if isinstance(change, str) else change
        _put(document, parsed, put)
        put.add(parsed.key)
    if not isinstance(document.data, dict):
        raise document.error((), f"{shown(document.data)}: expected a mapping of keys to values")
    if "platform" in put:
        _check_platform(document, read.data)
    if "platform" not in document.data:
        raise document.error(("platform",), f"missing; it is one of {', '.join(PLATFORMS.names())}")
    platform = document.data["platform"]
    if not isinstance(platform, str) or platform not in PLATFORMS:
        hint = PLATFORMS.unknown(platform) if isinstance(platform, str) else "expected a platform's name"
        raise document.error(("platform",), f"{shown(platform)}: {hint}")
    spec = validate(document, PLATFORMS.get(platform).spec)
    return Arch(spec, document.source)


def _resolve(path: Path, above: tuple[Path, ...]) -> Document:
    """A file's document with everything that it extends merged beneath it."""
    document = read_document(path)
    if not isinstance(document.data, dict) or "extends" not in document.data:
        return document
    base_name = document.data.pop("extends")
    chain = (*above, resolved(path))
    if not isinstance(base_name, str) or not base_name:
        raise document.error(("extends",), f"{shown(base_name)}: expected the name of an architecture file")
    beside = path.parent / (base_name if Path(base_name).suffix in SUFFIXES else f"{base_name}.yaml")
    try:
        base = beside if beside.is_file() else find("arch_specs", base_name)
    except InputError as error:
        raise document.error(("extends",), str(error)) from None
    except (OSError, ValueError):
        raise document.error(("extends",), f"{shown(base_name)}: not a usable file name") from None
    if resolved(base) in chain:
        names = " → ".join(p.name for p in (*chain, base))
        raise document.error(("extends",), f"{base_name}: files extend each other in a circle: {names}")
    if len(chain) > MAX_EXTENDS:
        raise document.error(("extends",), f"{base_name}: more than {MAX_EXTENDS} files extend each other")
    lower = _resolve(base, chain)
    if not isinstance(lower.data, dict):
        raise lower.error((), f"{shown(lower.data)}: expected a mapping of keys to values")
    _check_platform(document, lower.data)
    places = dict(lower.places)
    data = _merge(lower.data, document.data, document, places, ())
    return Document(document.source, data, places)


def _check_platform(document: Document, below: dict[str, Any]) -> None:
    """Raise InputError for a platform that does not have the keys that stand beneath it: it is the platform that is
    wrong, not these keys."""
    name, other = document.data.get("platform"), below.get("platform")
    if name is None or name == other or not isinstance(name, str) or name not in PLATFORMS:
        return  # of a name that there is not the whole spec says so
    strange = [key for key in below if key not in PLATFORMS.get(name).spec.model_fields]
    if strange:
        rule = f"what it changes is of platform {other}, whose {', '.join(strange)} platform {name} does not have"
        raise document.error(("platform",), f"{shown(name)}: {rule}")


def _merge(
    lower: dict[str, Any], upper: dict[str, Any], document: Document, places: dict[Any, Any], path: KeyPath
) -> dict[str, Any]:
    """`lower` with `upper`'s values; `places` follows."""
    merged = dict(lower)
    for key, value in upper.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value, document, places, here)
            continue
        merged[key] = value
        for other in _said_otherwise(here, value):
            if other[-1] not in upper:
                merged.pop(other[-1], None)
                places.pop(other, None)
        for known in [p for p in places if p[: len(here)] == here]:
            del places[known]
        places[here], _ = document.place(here)  # beneath an alias nothing has a place of its own
        places.update({p: place for p, place in document.places.items() if p[: len(here)] == here})
    return merged


def _said_otherwise(path: KeyPath, value: Any) -> list[tuple[str, str]]:
    """Other keys that say what a value says."""
    return [key for key in SAID_ONCE if key != path] if path in SAID_ONCE and value is not None else []


def _put(document: Document, change: Change, put: set[str]) -> None:
    """Put a change into the document that others were `put` into before. Unknown keys are found when the whole is
    validated."""
    if not isinstance(document.data, dict):
        raise document.error((), f"{shown(document.data)}: expected a mapping of keys to values")
    path = tuple(change.key.split("."))
    if len(path) > MAX_DEPTH:
        raise change.error(f"nested deeper than {MAX_DEPTH}")
    data = document.data
    for depth, part in enumerate(path[:-1]):
        inner = data.get(part)
        if inner is not None and not isinstance(inner, dict):
            raise change.error(f"{dotted(path[: depth + 1])} is {shown(inner)}, which has no keys")
        data[part] = dict(inner) if inner else {}  # a copy: an alias may share the mapping with another key
        data = data[part]
    data[path[-1]] = change.value
    for other in _said_otherwise(path, change.value):
        if dotted(other) not in put:
            data.pop(other[-1], None)
            document.places.pop(other, None)
    for inside in [p for p in document.places if p[: len(path)] == path]:
        del document.places[inside]
    for end in range(1, len(path) + 1):
        if end == len(path) or path[:end] not in document.places:
            document.places[path[:end]] = change.place
