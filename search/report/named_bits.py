"""Candidates by their names, as files of results hold them: read back strictly, for others may have made the files."""

import re
from collections.abc import Sequence

from quant.sites.candidate import Bits, name_of
from search.evaluation.model import NamedSite
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import shown

_PAIR = re.compile(r"([1-9][0-9]?)x([1-9][0-9]?)")


def bits_named(name: str, sites: Sequence[NamedSite]) -> Bits:
    """The candidate that `name_of` gave this name, of a network with these sites; which widths there are is its model's
    to say. Raises InputError for any other text."""
    pairs = [_PAIR.fullmatch(part.rpartition("=")[2]) for part in name.split(",")]
    widths = [(int(pair[1]), int(pair[2])) for pair in pairs if pair]
    bits = dict(zip([site.name for site in sites], widths, strict=False))
    if len(pairs) != len(sites) or name_of(bits) != name:
        expected = ",".join(f"{site.name}=8x8" for site in sites)
        raise InputError(f"bits: {shown(name)}: no candidate of this model, whose names are as {expected}")
    return bits
