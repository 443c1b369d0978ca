"""From actions to bits, the noise on actions, and the states that they follow from."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from search.methods.ddpg.episode import Game
from search.methods.ddpg.noise import truncated_normal
from search.methods.ddpg.states import site_states, state_of
from search.methods.ddpg.widths import width_of
from search.space.sites import search_sites
from simulators import Matmul, Trace
from simulators.workloads.operations import Conv2d


def test_bits_are_those_of_haqs_formula() -> None:
    """round((b_min - 0.5) + action * (b_max - b_min + 1)), halves to even, for its 2 to 8 bits and for 1 to 8."""
    actions = [*np.linspace(0, 1, 1001).tolist(), *(k / 7 for k in range(8)), *(k / 8 for k in range(9))]
    for low, high in ((2, 8), (1, 8), (3, 5)):
        for action in actions:
            wanted = int(np.round((low - 0.5) + action * (high - low + 1)))
            assert width_of(action, range(low, high + 1)) == min(max(wanted, low), high)


def test_widths_with_gaps_have_equal_parts_of_the_interval() -> None:
    counts = Counter(width_of((i + 0.5) / 4000, (2, 4, 8, 16)) for i in range(4000))
    assert counts == {2: 1000, 4: 1000, 8: 1000, 16: 1000}
    assert [width_of(action, (4, 16)) for action in (0.0, 0.49, 0.51, 1.0)] == [4, 4, 16, 16]
    assert width_of(0.7, (8,)) == 8


def test_two_actions_a_site_weights_first_and_none_where_there_is_no_choice() -> None:
    """The last action and which of the two is chosen stand in the last two numbers: nothing is narrowed at first."""
    apart = [(w, a) for w in (2, 4, 8) for a in (4, 8)]
    legal = {"first": [(8, 8)], "A": apart, "tied": [(4, 4), (8, 8)], "last": [(16, 16)]}
    actions = iter([0.5, 0.9, 0.1, 0.9])
    played = Game(legal, np.zeros((2, 10), np.float32), 8).play(lambda state: next(actions))
    assert played.bits == {"first": (8, 8), "A": (4, 8), "tied": (4, 4), "last": (16, 16)}
    assert played.states[:, 8:].tolist() == [[1.0, 1.0], [0.5, 0.0], [1.0, 1.0], [0.5, 0.0]]
    assert played.actions.tolist() == pytest.approx([0.5, 0.9, 0.1, 0.9])


@pytest.mark.parametrize("deviation", [1e-4, 0.1, 0.5, 10.0])
@pytest.mark.parametrize("mean", [0.0, 0.3, 1.0])
def test_noise_stays_between_0_and_1_and_is_distributed_as_it_should(mean: float, deviation: float) -> None:
    generator = np.random.default_rng(5)
    drawn = np.array([truncated_normal(mean, deviation, generator) for _ in range(2000)])
    assert 0.0 <= drawn.min() <= drawn.max() <= 1.0
    wanted = truncnorm(-mean / deviation, (1 - mean) / deviation, loc=mean, scale=deviation)
    assert kstest(drawn, wanted.cdf).pvalue > 0.001


class Ends:
    """A generator that draws the ends of its interval."""

    def __init__(self, drawn: float):
        self.random = lambda: drawn


def test_noise_that_has_decayed_to_nothing_is_none() -> None:
    assert 0.5 * 0.3**700 == 0.0
    assert truncated_normal(0.25, 0.5 * 0.3**700, np.random.default_rng(1)) == 0.25


@pytest.mark.parametrize("drawn", [0.0, 1.0 - 2.0**-53])
@pytest.mark.parametrize("mean", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("deviation", [1e-6, 0.5, 10.0])
def test_the_ends_of_the_noise(drawn: float, mean: float, deviation: float) -> None:
    assert 0.0 <= truncated_normal(mean, deviation, Ends(drawn)) <= 1.0  # type: ignore[arg-type]


def trace(bits: dict[str, tuple[int, int]]) -> Trace:
    """A convolution, a depthwise one, a recurrent matrix in two directions, and a fully connected layer."""

    def widths(site: str) -> dict[str, int]:
        return {"weight_bits": bits[site][0], "activation_bits": bits[site][1], "output_bits": 16}

    conv = {"kernel": (3, 3), "padding": (1, 1), "steps": 1}
    layers = (
        Conv2d(
            name="conv", in_channels=3, out_channels=8, input_size=(10, 12), stride=(2, 2), **conv, **widths("conv")
        ),
        Conv2d(name="dw", in_channels=8, out_channels=8, groups=8, input_size=(5, 6), **conv, **widths("dw")),
        Matmul(name="f", out_features=5, in_features=7, steps=20, recurrent=True, **widths("U")),
        Matmul(name="b", out_features=5, in_features=7, steps=20, recurrent=True, **widths("U")),
        Matmul(name="fc", out_features=4, in_features=10, steps=20, **widths("fc")),
    )
    return Trace(name="four", steps=20, layers=layers)


def test_the_ten_numbers_by_hand() -> None:
    """Depthwise, channels in and out, stride, kernel, weights, positions, number: each from the least to the largest
    of the sites."""
    sites = search_sites(["conv", "dw", "U", "fc"], [(4, 4), (8, 8)], trace)
    assert [(s.geometry.in_channels, s.geometry.out_channels, s.geometry.positions) for s in sites] == [
        (3, 8, 120), (8, 8, 30), (7, 10, 1), (10, 4, 20),
    ]  # fmt: skip
    weights = [3 * 8 * 9, 8 * 9, 2 * 5 * 7, 4 * 10]
    assert [site.weights for site in sites] == weights
    wanted = [
        [0, 0 / 7, 4 / 6, 1.0, 1.0, 1.0, 1.0, 0 / 3, 0, 0],
        [1, 5 / 7, 4 / 6, 0.5, 1.0, 32 / 176, 29 / 119, 1 / 3, 0, 0],
        [0, 4 / 7, 1.0, 0.0, 0.0, 30 / 176, 0 / 119, 2 / 3, 0, 0],
        [0, 1.0, 0 / 6, 0.0, 0.0, 0 / 176, 19 / 119, 1.0, 0, 0],
    ]
    states = site_states(sites)
    assert states == pytest.approx(np.array(wanted), abs=1e-6)
    assert state_of(states[1], 0.25, True).tolist() == pytest.approx([*wanted[1][:8], 0.25, 1.0])
    assert states[1].tolist() == pytest.approx(wanted[1])


def test_what_all_sites_have_alike_says_nothing() -> None:
    sites = search_sites(["U", "fc"], [(4, 4), (8, 8)], lambda bits: trace({"conv": (8, 8), "dw": (8, 8), **bits}))
    assert site_states([sites[0], sites[0]])[:, :7].tolist() == [[0.0] * 7] * 2
