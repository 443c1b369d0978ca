"""What a delta network transmits, summed over utterances and noted in a trace."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from quant.arithmetic.delta import Delta, Masks, masks_of_utterance
from quant.networks.traced_layer import TracedLayer
from quant.sites.site import Site
from simulators import Elementwise, Matmul
from simulators.inputs.errors import InputError


def check_thresholds(thresholds: Mapping[str, int], sites: Sequence[Site]) -> None:
    """Raise InputError for a threshold of a site that there is not, or one below zero."""
    names = [site.name for site in sites]
    for site, threshold in thresholds.items():
        if site not in names:
            raise InputError(f"threshold of {site}: unknown site: the sites are {', '.join(names)}")
        if threshold < 0:
            raise InputError(f"threshold of {site}: {threshold}: it must be at least 0")


def transmitted_shares(sites: Iterable[str], deltas: Sequence[Delta]) -> dict[str, float]:
    """The mean share of each site's input that was transmitted, over all true frames and directions."""
    shares: dict[str, list[np.ndarray]] = {site: [] for site in sites}
    for delta in deltas:
        for site, by_utterance in shares.items():
            directions = range(delta.active[site].shape[1])
            by_utterance += [delta.share(site, b, d) for b in range(len(delta.lengths)) for d in directions]
    return {site: float(np.concatenate(by_utterance).mean()) for site, by_utterance in shares.items()}


def eliminated_share(sites: Sequence[Site], active: Mapping[str, float]) -> float:
    """The share of all multiply-accumulates that inputs which are not transmitted need not."""
    macs = sum(site.weights for site in sites)
    done = sum(site.weights * active.get(site.name, 1.0) for site in sites)
    return 1.0 - done / macs


def with_activity(
    layers: Iterable[TracedLayer], masks: Masks, length: int, utterance: int
) -> Iterator[Matmul | Elementwise]:
    """The layers of a trace, its products with masks of what one utterance of a batch transmitted at each of its
    steps."""
    for traced in layers:
        if isinstance(traced.layer, Matmul) and traced.site is not None and traced.site in masks:
            sent = masks_of_utterance(masks[traced.site], length, utterance, traced.direction)
            yield traced.layer.but(active=sent)
        else:
            yield traced.layer


def expected_activity(layers: Iterable[TracedLayer], shares: Mapping[str, float]) -> Iterator[Matmul | Elementwise]:
    """The layers of a trace, its products of the sites named with the same evenly spread mask at each step."""
    for traced in layers:
        layer = traced.layer
        if isinstance(layer, Matmul) and traced.site is not None and traced.site in shares:
            yield layer.but(active=even_masks(layer, shares[traced.site]))
        else:
            yield layer


def even_masks(layer: Matmul, share: float) -> tuple[str, ...]:
    """A mask for each step of a product that sends so large a share of what it reads, evenly."""
    return (_even_mask(layer.in_features, round(share * layer.in_features)),) * layer.steps


@cache
def _even_mask(elements: int, sent: int) -> str:
    """A hexadecimal mask of so many sent elements, as evenly spread as they can be."""
    places = {(2 * number + 1) * elements // (2 * sent) for number in range(sent)}
    return f"{sum(1 << place for place in places):x}"
