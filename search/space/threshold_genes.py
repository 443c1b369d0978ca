"""Thresholds of a delta network as genes: a group of sites shares one, beside the bits that each has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from quant.sites.candidate import Bits
from quant.sites.delta_pair import thresholds_in, with_threshold
from quant.sites.site import Role
from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError
from simulators.platforms.edgedrnn.network import BIAS_DELTA, MOST_THRESHOLD

EDGEDRNN = "edgedrnn"
"""The platform whose registers hold thresholds."""
KEY = "thresholds"
"""The key of an experiment."""


@dataclass(frozen=True)
class ThresholdGroup:
    """Sites that share a threshold."""

    pattern: str
    """What the experiment calls them."""
    sites: tuple[str, ...]
    values: tuple[int, ...]
    """Thresholds in 1/256 by gene: falling, so that a larger gene errs less and costs more, as with bits."""


def threshold_groups(settings: Mapping[str, Sequence[int]], sites: Sequence[str]) -> tuple[ThresholdGroup, ...]:
    """Groups of sites by patterns, and their thresholds. Raises KeyedError for a pattern that fits no site, or one that
    another fits."""
    groups: list[ThresholdGroup] = []
    taken: dict[str, str] = {}
    for pattern, values in settings.items():
        fitting = tuple(site for site in sites if fnmatchcase(site, pattern))
        if not fitting:
            raise KeyedError((KEY, pattern), f"no such site: the sites are {', '.join(sites)}")
        for site in fitting:
            if site in taken:
                raise KeyedError((KEY, pattern), f"site {site} has thresholds under {taken[site]} already")
            taken[site] = pattern
        groups.append(ThresholdGroup(pattern, fitting, tuple(sorted(values, reverse=True))))
    return tuple(groups)


def with_genes(bits: Bits, groups: Sequence[ThresholdGroup], genes: Sequence[int]) -> Bits:
    """A candidate with the threshold that each group's gene chooses."""
    chosen = {site: group.values[gene] for group, gene in zip(groups, genes, strict=True) for site in group.sites}
    return {site: with_threshold(pair, chosen.get(site)) for site, pair in bits.items()}


def genes_of(bits: Bits, groups: Sequence[ThresholdGroup]) -> list[int]:
    """The genes of a candidate's thresholds. Raises InputError for one that has others."""
    thresholds, genes = thresholds_in(bits), []
    for group in groups:
        of_group = {thresholds.get(site) for site in group.sites}
        (threshold,) = of_group if len(of_group) == 1 else (None,)
        if threshold not in group.values:
            offered = ", ".join(map(str, reversed(group.values)))
            raise InputError(f"thresholds of {group.pattern}: {sorted(map(str, of_group))}: one of {offered}")
        genes.append(group.values.index(threshold))
    return genes


def check_sites(groups: Sequence[ThresholdGroup], without: Mapping[str, str]) -> None:
    """Raise KeyedError for a group with a site that can have no threshold, given why."""
    for group in groups:
        for site in group.sites:
            if site in without:
                raise KeyedError((KEY, group.pattern), f"{site} can have none: {without[site]}")


def check_hardware(groups: Sequence[ThresholdGroup], archs: Sequence[Arch], sites: Sequence[Any]) -> None:
    """Raise KeyedError for thresholds that none of some hardware makes anything of, or that EdgeDRNN's registers do not
    hold: two for all layers, one of inputs and one of states."""
    if any(arch.platform == EDGEDRNN for arch in archs):
        roles = {site.name: getattr(site, "role", None) for site in sites}
        for role, limit in ((Role.INPUT, BIAS_DELTA), (Role.RECURRENT, MOST_THRESHOLD)):
            _check_register(groups, role, limit, [name for name, of_site in roles.items() if of_site is role])
    if any(arch.platform == EDGEDRNN or getattr(arch.spec, "skips_inactive_inputs", False) for arch in archs):
        return
    known = hasattr(archs[0].spec, "skips_inactive_inputs")
    how = "set skips_inactive_inputs=true" if known else "Bit Fusion, SiLago and EdgeDRNN can skip it"
    raise KeyedError((KEY,), f"{archs[0].name} computes what is not sent as well: {how}")


def why_not_held(bits: Bits, sites: Sequence[Any]) -> str:
    """Why EdgeDRNN's registers do not hold a candidate's thresholds; empty where they do."""
    thresholds = thresholds_in(bits)
    for role, limit in ((Role.INPUT, BIAS_DELTA), (Role.RECURRENT, MOST_THRESHOLD)):
        of_role = {thresholds.get(site.name, 0) for site in sites if getattr(site, "role", None) is role}
        if len(of_role) > 1:
            return f"EdgeDRNN has one threshold for all {role.value} sites"
        if max(of_role, default=0) > limit:
            return f"EdgeDRNN has thresholds of at most {limit} for {role.value} sites"
    return ""


def _check_register(groups: Sequence[ThresholdGroup], role: Role, limit: int, sites: Sequence[str]) -> None:
    """Check the groups that sites of a role are in: all in one, within the register's limit."""
    having = [group for group in groups if set(group.sites) & set(sites)]
    for group in having:
        if len(having) > 1 or not set(sites) <= set(group.sites):
            rule = f"EdgeDRNN has one register for all {role.value} sites: {', '.join(sites)} must share a threshold"
            raise KeyedError((KEY, group.pattern), rule)
        if max(group.values) > limit:
            why = "above it the bias is never sent" if role is Role.INPUT else "a 10-bit signed register"
            raise KeyedError((KEY, group.pattern), f"{max(group.values)}: at most {limit} on EdgeDRNN: {why}")
