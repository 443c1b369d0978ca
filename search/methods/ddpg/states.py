"""What the agent sees of a site: HAQ's ten numbers.

1 depthwise, 2 input channels, 3 output channels, 4 stride, 5 kernel, 6 weights, 7 positions of the input, 8 number of
the site, 9 the last action, 10 whether weights are chosen. Of 1 to 8 each is brought to 0 … 1 over the sites. A matrix
product has stride 0 and kernel 1, as a fully connected layer of HAQ; its positions are the vectors that it is given at
once, all frames, and one of a recurrent product.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.methods.ddpg.replay import Floats
from search.space.sites import SearchSite

NUMBERS = 10
LAST_ACTION, CHOOSES_WEIGHTS = 8, 9
"""Columns that change within an episode."""


def site_states(sites: Sequence[SearchSite]) -> Floats:
    """(sites, 10) The states of sites, the last two columns 0."""
    rows = [
        (
            g.depthwise, g.in_channels, g.out_channels, g.stride, g.kernel, site.weights, g.positions, number, 0.0, 0.0,
        )
        for number, site in enumerate(sites)
        for g in [site.geometry]
    ]  # fmt: skip
    table: NDArray[np.float64] = np.array(rows, np.float64)
    low, span = table.min(axis=0), np.ptp(table, axis=0)
    scaled: Floats = ((table - low) / np.where(span > 0, span, 1.0)).astype(np.float32)
    return scaled


def state_of(site: Floats, last: float, chooses_weights: bool) -> Floats:
    """(10,) The state of a site (10,): `last` is the width that was chosen last, as a share of the widest."""
    state = site.copy()
    state[LAST_ACTION], state[CHOOSES_WEIGHTS] = last, chooses_weights
    return state
