"""A candidate: bits for the weights and the activations of every site. What it may hold, and how a user writes it."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from quant.sites.delta_pair import MOST_THRESHOLD, pair_name, thresholds_in, with_threshold
from quant.sites.site import Site
from simulators.inputs.documents import read_document
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError, shown, under

Bits = Mapping[str, tuple[int, int]]  # site → (weight_bits, activation_bits)

INTEGER_BITS = (2, 4, 8)
FIXED_POINT_BITS = 16
BIT_WIDTHS = (*INTEGER_BITS, FIXED_POINT_BITS)

_PAIR = re.compile(r"(\d+)(?:x(\d+))?(?:@(\d{1,9}))?")


class NamedSite(Protocol):
    """What gets a pair of bit-widths."""

    @property
    def name(self) -> str:
        """Names it among the model's sites."""
        ...


def homogeneous(
    sites: Sequence[NamedSite], weight_bits: int, activation_bits: int | None = None
) -> dict[str, tuple[int, int]]:
    """A candidate of one pair of widths for every site; activations are as wide as weights unless said."""
    return {site.name: (weight_bits, activation_bits or weight_bits) for site in sites}


def parse_bits(
    text: str, sites: Sequence[Site], no_thresholds: str = "", widths: Sequence[int] = BIT_WIDTHS
) -> dict[str, tuple[int, int]]:
    """Read `8`, `4x8` (weights x activations), `L0=8x8,P1=4,…`, or the name of a YAML or JSON file that maps sites to
    pairs `[4, 8]` or such words; `8x8@16` has a threshold of 16/256, as a delta network has. A site may be a pattern,
    and a width in front holds for the rest: `4x8,U*=16` leaves the recurrent paths at 16 bits. Raises InputError that
    says which part is wrong, and for thresholds where `no_thresholds` says why there are none."""
    bits: dict[str, tuple[int, int]] = {}
    if Path(text).suffix in (".yaml", ".yml", ".json"):
        document = read_document(Path(text))
        if not isinstance(document.data, dict):
            raise document.error((), "it must map sites to bits, as in `L0: [4, 8]`")
        for site, value in document.data.items():
            try:
                bits[str(site)] = _pair(value)
            except InputError as error:
                raise document.error((site,), str(error)) from None
    elif "=" in text:
        first, *parts = text.split(",")
        if "=" in first:
            parts = [first, *parts]
        else:
            bits = _alike(sites, _word(first.strip()))
        try:
            bits |= fixed_bits(named_words(parts, "site"), [site.name for site in sites])
        except KeyedError as error:
            raise InputError(f"bits: {error}") from None
    else:
        bits = _alike(sites, _word(text))
    check_candidate(bits, sites, widths)
    if no_thresholds:
        refuse_thresholds(bits, no_thresholds)
    return bits


def named_words(parts: Sequence[str], what: str) -> dict[str, str]:
    """Words by what they are of, as `L0=8x8`; `what` says what that is. Raises InputError for one named twice."""
    named: dict[str, str] = {}
    for part in parts:
        name, _, word = part.partition("=")
        if name.strip() in named:
            raise InputError(f"bits: {part!r}: {what} {name.strip()} is named twice")
        named[name.strip()] = word.strip()
    return named


def fixed_bits(named: Mapping[str, str], sites: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Bits of sites named by themselves or by patterns (`U*`), later names before earlier ones. Raises KeyedError for
    a pattern that fits no site, or for no pair of widths."""
    bits: dict[str, tuple[int, int]] = {}
    for pattern, word in named.items():
        fitting = [site for site in sites if fnmatchcase(site, pattern)]
        if not fitting:
            raise KeyedError((pattern,), f"no such site: the sites are {', '.join(sites)}")
        with under(pattern):
            bits |= dict.fromkeys(fitting, _pair(word))
    return bits


def name_of(bits: Bits) -> str:
    """One line that names a candidate and that `mohaq evaluate --bits` takes: `L0=8x8,P1=4x8,…`, with thresholds
    `L0=8x8@16,…`."""
    return ",".join(f"{site}={pair_name(pair)}" for site, pair in bits.items())


def check_bits(bits: int, what: str, widths: Sequence[int] = BIT_WIDTHS) -> None:
    if bits not in widths:
        raise InputError(f"{what}: {bits!r} bits: it must be one of {', '.join(map(str, widths))}")


def check_candidate(bits: Bits, sites: Sequence[Site], widths: Sequence[int] = BIT_WIDTHS) -> None:
    """Raise InputError unless `bits` names every site, no other, and only widths that the model has."""
    names = [site.name for site in sites]
    missing, unknown = [n for n in names if n not in bits], [n for n in bits if n not in names]
    complaints = [f"no bits for {', '.join(missing)}"] * bool(missing) + [f"unknown site {', '.join(unknown)}"] * bool(
        unknown
    )
    if complaints:
        raise InputError(f"bits: {'; '.join(complaints)}: the sites are {', '.join(names)}")
    for site, (weight_bits, activation_bits) in bits.items():
        check_bits(weight_bits, f"weights of {site}", widths)
        check_bits(activation_bits, f"activations of {site}", widths)
    for site, threshold in thresholds_in(bits).items():
        check_threshold(site, threshold)


def check_threshold(what: str, threshold: int) -> None:
    """Raise InputError for a threshold in 1/256 that is none."""
    if type(threshold) is not int or not 0 <= threshold <= MOST_THRESHOLD:
        rule = f"expected a whole number of 1/256 from 0 to {MOST_THRESHOLD}"
        raise InputError(f"threshold of {what}: {shown(threshold)}: {rule}")


def refuse_thresholds(bits: Bits, what: str) -> None:
    """Raise InputError for a candidate with thresholds, where there are none."""
    for site, threshold in thresholds_in(bits).items():
        raise InputError(f"bits of {site}: @{threshold}: {what}")


def _alike(sites: Sequence[Site], pair: tuple[int, int]) -> dict[str, tuple[int, int]]:
    return {site.name: pair for site in sites}


def _word(text: str) -> tuple[int, int]:
    try:
        return _pair(text)
    except InputError as error:
        raise InputError(f"bits: {error}") from None


def _pair(value: object) -> tuple[int, int]:
    if isinstance(value, str) and (match := _PAIR.fullmatch(value)):
        return with_threshold((int(match[1]), int(match[2] or match[1])), None if match[3] is None else int(match[3]))
    numbers = value if isinstance(value, list) else [value, value]
    match numbers:
        case [int(weight_bits), int(activation_bits)] if bool not in map(type, numbers):
            return weight_bits, activation_bits
    raise InputError(f"{shown(value)}: it must be a width such as 8, or a pair of weights x activations such as 4x8")
