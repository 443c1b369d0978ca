"""Thresholds as genes beside those of bits, and what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.sites.candidate import name_of, parse_bits
from quant.sites.delta_pair import thresholds_in, widths
from quant.sites.site import Role, Site
from search import Experiment
from search.space.genome import Genome
from search.space.threshold_genes import check_hardware, threshold_groups, why_not_held
from simulators import InputError, load_arch

SITES = (
    Site("W0", 48, 5, Role.INPUT), Site("U0", 48, 8, Role.RECURRENT), Site("W1", 48, 16, Role.INPUT),
    Site("U1", 48, 8, Role.RECURRENT), Site("FC", 4, 16, Role.OUTPUT),
)  # fmt: skip
NAMES = tuple(site.name for site in SITES)


@dataclass(frozen=True)
class Settings:
    thresholds: Mapping[str, Sequence[int]]
    fixed: Mapping[str, str] = field(default_factory=dict)
    minimum_activation_bits: Mapping[str, int] = field(default_factory=dict)


def genome(arch: str, **settings: Any) -> Genome:
    return Genome.of(NAMES, load_arch(arch).precisions, Settings(**settings))


@given(data=st.data(), arch=st.sampled_from(["bitfusion", "silago", "edgedrnn"]))
def test_decode_and_encode_are_inverse(data: st.DataObject, arch: str) -> None:
    made = genome(arch, thresholds={"W*": [0, 16, 8], "U*": [0, 64], "FC": [3]})
    genes = np.array([data.draw(st.integers(0, int(u))) for u in made.upper])
    bits = made.decode(genes)
    assert np.array_equal(made.encode(bits), genes)
    assert all(widths(pair) in made.precisions for pair in bits.values())
    thresholds = thresholds_in(bits)
    assert thresholds["W0"] == thresholds["W1"] == [16, 8, 0][genes[-3]]
    assert thresholds["U0"] == thresholds["U1"] == [64, 0][genes[-2]]
    assert thresholds["FC"] == 3


def test_a_site_of_its_own_has_its_own_gene_and_others_send_everything() -> None:
    made = genome("bitfusion", thresholds={"U1": [0, 4]}, fixed={"*": "8"})
    assert made.upper.tolist() == [1]
    assert name_of(made.decode(np.array([0]))) == "W0=8x8,U0=8x8,W1=8x8,U1=8x8@4,FC=8x8"
    assert thresholds_in(genome("bitfusion", thresholds={"U1": [4, 0]}).homogeneous()[16]) == {"U1": 0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"thresholds": {"X*": [1]}}, r"^thresholds\.X\*: no such site: the sites are W0, U0"),
        ({"thresholds": {"W*": [1], "W1": [2]}}, r"^thresholds\.W1: site W1 has thresholds under W\* already$"),
        ({"thresholds": {"W0": [1]}, "fixed": {"*": "8"}}, "nothing is left to search"),
        ({"thresholds": {"W0": [1, 2]}, "fixed": {"U0": "8@3"}}, "thresholds are searched under the key of that name"),
    ],
)
def test_groups_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        genome("bitfusion", **settings)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[0, -1]", "thresholds.U*[1]: -1"), ("[.nan]", "thresholds.U*[0]: nan"), ("[40000]", "thresholds.U*[0]: 40000"),
        ("[1.5]", "thresholds.U*[0]: 1.5"), ("[]", "thresholds.U*"), ("[4, 4]", "one is named twice"),
        ("[x]", "thresholds.U*[0]"),
    ],
)  # fmt: skip
def test_thresholds_that_are_none_are_one_line_with_their_place(value: str, message: str, tmp_path: Any) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(f"name: t\nmodel: gru\nthresholds:\n  W*: [0, 2]\n  U*: {value}\n")
    with pytest.raises(InputError, match=r"^[^\n]*$") as error:
        Experiment.load(file)
    assert message in str(error.value)
    assert f"{file}:" in str(error.value)


def checked(thresholds: Mapping[str, Sequence[int]], arch: str, *changes: str) -> None:
    check_hardware(threshold_groups(thresholds, NAMES), [load_arch(arch, changes)], SITES)


def test_hardware_that_skips() -> None:
    checked({"W*": [0, 256], "U*": [511], "FC": [4000]}, "edgedrnn")
    for arch in ("bitfusion", "silago"):
        checked({"W0": [0, 256], "U1": [1000]}, arch, "skips_inactive_inputs=true")
        with pytest.raises(InputError, match=r"thresholds: .*set skips_inactive_inputs=true"):
            checked({"W0": [0, 256]}, arch)


def test_of_several_variants_one_must_skip_and_each_must_hold_them() -> None:
    groups = threshold_groups({"W*": [0, 256], "U0": [3]}, NAMES)
    plain, skips, edgedrnn = load_arch("bitfusion"), load_arch("silago", ["skips_inactive_inputs=true"]), "edgedrnn"
    check_hardware(groups, [plain, skips], SITES)
    with pytest.raises(InputError, match=r"thresholds: .*set skips_inactive_inputs=true"):
        check_hardware(groups, [plain, plain], SITES)
    with pytest.raises(InputError, match=r"thresholds\.U0: EdgeDRNN has one register for all recurrent sites"):
        check_hardware(groups, [skips, load_arch(edgedrnn)], SITES)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("8", ""), ("8,W*=8@256,U*=8@511,FC=8@4000", ""), ("8,W0=8@1,W1=8@2", "one threshold for all input sites"),
        ("8,U1=8@4", "one threshold for all recurrent sites"), ("8,W*=8@257", "at most 256 for input sites"),
        ("8@512,W*=8", "at most 511 for recurrent sites"),
    ],
)  # fmt: skip
def test_candidates_that_edgedrnns_registers_do_not_hold(text: str, held: str) -> None:
    why = why_not_held(parse_bits(text, SITES), SITES)
    assert held in why
    assert bool(held) == bool(why)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"W*": [257]}, r"thresholds\.W\*: 257: at most 256 on EdgeDRNN: above it the bias is never sent"),
        ({"U*": [0, 512]}, r"thresholds\.U\*: 512: at most 511 on EdgeDRNN: a 10-bit signed register"),
        ({"W0": [1], "W1": [1]}, r"thresholds\.W0: EdgeDRNN has one register for all input sites: W0, W1"),
        ({"U1": [1]}, "one register for all recurrent sites"),
    ],
)
def test_what_edgedrnns_registers_do_not_hold(thresholds: dict[str, list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(thresholds, "edgedrnn")


def test_hardware_that_cannot_skip() -> None:
    with pytest.raises(InputError, match=r"thresholds: .*Bit Fusion, SiLago and EdgeDRNN can skip it"):
        checked({"W0": [1]}, "epiphany-e16")
