"""Candidates by their names, as files of results hold them: read back strictly, for others may have made the files."""

import re
from collections.abc import Sequence

from quant.sites.candidate import Bits, NamedSite, check_threshold, name_of
from quant.sites.delta_pair import thresholds_in, with_threshold
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import shown

_PAIR = re.compile(r"([1-9][0-9]?)x([1-9][0-9]?)(?:@(0|[1-9][0-9]{0,4}))?")


def bits_named(name: str, sites: Sequence[NamedSite]) -> Bits:
    """The candidate that `name_of` gave this name, of a network with these sites; which widths there are is its model's
    to say. Raises InputError for any other text."""
    pairs = [_PAIR.fullmatch(part.rpartition("=")[2]) for part in name.split(",")]
    widths = [with_threshold((int(pair[1]), int(pair[2])), int(pair[3]) if pair[3] else None) for pair in pairs if pair]
    bits = dict(zip([site.name for site in sites], widths, strict=False))
    if len(pairs) != len(sites) or name_of(bits) != name:
        expected = ",".join(f"{site.name}=8x8" for site in sites)
        raise InputError(f"bits: {shown(name)}: no candidate of this model, whose names are as {expected}")
    for site, threshold in thresholds_in(bits).items():
        check_threshold(f"bits: {site}", threshold)
    return bits
