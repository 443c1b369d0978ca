"""Thresholds of `mohaq retrain`: which sites get which, and what is refused."""

import pytest

from mohaq.delta_options import with_thresholds
from quant.sites.candidate import name_of, parse_bits
from quant.sites.site import Role, Site
from simulators import InputError

SITES = (
    Site("W0", 24, 4, Role.INPUT, 0), Site("U0", 24, 8, Role.RECURRENT, 0), Site("FC", 4, 16, Role.OUTPUT),
)  # fmt: skip


def test_inputs_and_states_have_their_own_and_others_none() -> None:
    bits = parse_bits("8x16", SITES)
    assert name_of(with_thresholds(bits, SITES, "16,8")) == "W0=8x16@16,U0=8x16@8,FC=8x16"
    assert with_thresholds(bits, SITES, None) == bits
    assert name_of(with_thresholds({"W0": (4, 8)}, SITES[:1], "16,0")) == "W0=4x8@16"


@pytest.mark.parametrize(
    ("bits", "text", "message"),
    [
        ("8", "16", "--thresholds 16: expected two whole numbers, of inputs and states, in 1/256: 16,8"),
        ("8", "16,x", "--thresholds 16,x: expected two whole numbers"),
        ("8", "-1,0", "threshold of input sites (--thresholds -1,0): -1: expected a whole number of 1/256"),
        ("8", "0,32769", "threshold of recurrent sites (--thresholds 0,32769): 32769: expected a whole number"),
        ("8@4", "16,8", "bits of W0: @4: --thresholds are instead of them"),
    ],
)
def test_refused_in_one_line(bits: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        with_thresholds(parse_bits(bits, SITES), SITES, text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_network_without_recurrent_products_has_no_states_to_hold() -> None:
    with pytest.raises(InputError, match="--thresholds 16,8: no product of this network reads states: 16,0"):
        with_thresholds({"W0": (8, 8)}, SITES[:1], "16,8")
