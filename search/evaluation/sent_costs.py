"""What a candidate of a delta network costs: mean and worst over the utterances that its error was counted over,
or over the chunks of these, where the network takes chunks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from quant.sites.candidate import Bits
from quant.sites.delta_pair import thresholds_in
from search.evaluation.quality import number_or_none
from simulators import Arch, Matmul, Trace, simulate_batch
from simulators.inputs.errors import InputError

AT_ONCE = 4
"""Utterances that are simulated together: what a simulator keeps of some, with masks that no others have, is given up
before the next."""


class SentCosts(NamedTuple):
    """Simulated from the masks of what was sent."""

    cycles: int
    """Mean of an utterance, or of a chunk of a network that takes chunks, rounded to whole cycles."""
    latency_ms: float
    """Mean of one, as cycles are."""
    energy_uj: float
    """Mean of one, as cycles are."""
    dram_energy_uj: float | None
    """Mean of one, as cycles are; None where the platform has no figure of it."""
    latency_worst_ms: float
    """The largest of an utterance, or of a chunk."""
    energy_worst_uj: float
    """The largest of an utterance, or of a chunk."""
    shares: dict[str, float]
    """The share of each site's input that was sent, over all steps, of those with a threshold."""


class CannotRun(NamedTuple):
    """In place of costs on hardware that cannot run a candidate."""

    reason: str


def sent_costs(bits: Bits, traces: Iterable[Trace], archs: Sequence[Arch]) -> tuple[SentCosts | CannotRun, ...]:
    """The costs of a candidate on each piece of hardware, by the traces of its utterances."""
    utterances = list(traces)
    products = [{layer.name: layer for layer in trace.layers if isinstance(layer, Matmul)} for trace in utterances]
    shares = {site: _share(site, products) for site in thresholds_in(bits)}
    return tuple(_costs_on(arch, utterances, shares) for arch in archs)


def _costs_on(arch: Arch, utterances: Sequence[Trace], shares: dict[str, float]) -> SentCosts | CannotRun:
    try:
        batches = [simulate_batch(utterances[i : i + AT_ONCE], arch) for i in range(0, len(utterances), AT_ONCE)]
    except InputError as error:
        return CannotRun(str(error).partition(": ")[2])  # behind the number of the utterance
    cycles, latency_ms, energy_uj, dram_energy_uj = (
        np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("cycles", "latency_ms", "energy_uj", "dram_energy_uj")
    )
    return SentCosts(
        round(float(cycles.mean())), float(latency_ms.mean()), float(energy_uj.mean()),
        number_or_none(float(dram_energy_uj.mean())), float(latency_ms.max()), float(energy_uj.max()), shares,
    )  # fmt: skip


def _share(site: str, utterances: Iterable[Mapping[str, Matmul]]) -> float:
    """Elements that a site's products send of all that they read, by utterance and name: one is called as the site, or
    where there is none such, two are, by direction."""
    sent = elements = 0
    for products in utterances:
        names = (site,) if site in products else (f"{site}f", f"{site}b")
        for layer in (products[name] for name in names if name in products):
            if layer.masks is not None:
                sent += sum(int(mask, 16).bit_count() for mask in layer.masks)
                elements += layer.steps * layer.in_features
    return sent / elements if elements else 1.0
