"""Pairs of widths with a threshold: told apart, named, read back, refused."""

import copy
import pickle

import pytest

from quant.sites.candidate import check_candidate, name_of, parse_bits
from quant.sites.delta_pair import DeltaPair, thresholds_in, widths, with_threshold
from quant.sites.site import Site
from simulators.inputs.errors import InputError

SITES = (Site("W0", 4, 4), Site("U0", 4, 4))


def test_a_threshold_tells_pairs_apart_and_widths_do_not_see_it() -> None:
    pair = DeltaPair(4, 8, 16)
    assert (*pair,) == (4, 8) == widths(pair)
    assert (4, 8) not in [pair]
    assert pair != (4, 8)
    assert pair != DeltaPair(4, 8, 0)
    assert pair == DeltaPair(4, 8, 16)
    assert len({pair, DeltaPair(4, 8, 16), (4, 8), DeltaPair(4, 8, 0)}) == 3
    assert with_threshold(pair, None) == (4, 8)
    for copied in (pickle.loads(pickle.dumps(pair)), copy.copy(pair), copy.deepcopy(pair)):
        assert (copied, copied.threshold) == (pair, 16)
    assert sorted([pair, DeltaPair(4, 8, 2), (2, 8)]) == [(2, 8), DeltaPair(4, 8, 2), pair]


def test_names_are_read_back() -> None:
    for text in ("W0=4x8@16,U0=8x8", "W0=8x8@0,U0=2x16@300"):
        assert name_of(parse_bits(text, SITES)) == text
    assert thresholds_in(parse_bits("4x8@16,U0=8", SITES)) == {"W0": 16}


@pytest.mark.parametrize(
    ("threshold", "shown"), [(-1, "-1"), (float("nan"), "nan"), (40000, "40000"), (True, "True"), (2.5, "2.5")]
)
def test_thresholds_that_are_none_are_refused(threshold: object, shown: str) -> None:
    bits = {"W0": (8, 8), "U0": DeltaPair(8, 8, threshold)}  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^threshold of U0: [^\n]*from 0 to 32768$") as error:
        check_candidate(bits, SITES)
    assert shown.lower() in str(error.value).lower()


@pytest.mark.parametrize("text", ["8x8@-1", "8@nan", "8@2.5", "8@"])
def test_words_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^bits: [^\n]*$"):
        parse_bits(text, SITES)


def test_where_there_are_none_they_are_refused() -> None:
    with pytest.raises(InputError, match="bits of U0: @3: no delta networks here"):
        parse_bits("8,U0=8@3", SITES, "no delta networks here")
