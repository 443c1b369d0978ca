"""Genes and candidates, for hardware whose pairs are free, tied, or neither."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.sites.candidate import name_of
from search.space.genome import Genome
from simulators import InputError, load_arch

SITES = ("L0", "P1", "FC")


@given(data=st.data(), arch=st.sampled_from(["bitfusion", "silago"]))
def test_decode_and_encode_are_inverse(data: st.DataObject, arch: str) -> None:
    genome = Genome(SITES, load_arch(arch).precisions)
    genes = np.array([data.draw(st.integers(0, int(u))) for u in genome.upper])
    bits = genome.decode(genes)
    assert np.array_equal(genome.encode(bits), genes)
    assert all(pair in genome.precisions for pair in bits.values())
    assert list(bits) == list(SITES)


def test_sizes_are_mohaqs() -> None:
    sites = ("L0", "P1", "L1", "P2", "L2", "P3", "L3", "FC")
    assert Genome(sites, load_arch("bitfusion").precisions).upper.tolist() == [3] * 16
    assert Genome(sites, load_arch("silago").precisions).upper.tolist() == [2] * 8


def test_pairs_that_are_no_full_product_have_one_gene() -> None:
    genome = Genome(("A",), ((2, 8), (8, 8), (4, 4)))
    assert genome.upper.tolist() == [2]
    assert {tuple(genome.decode([g]).values()) for g in range(3)} == {((2, 8),), ((8, 8),), ((4, 4),)}


def test_lifted_activations() -> None:
    genome = Genome(SITES, load_arch("bitfusion").precisions, {"FC": 4})
    assert genome.decode([0] * 6) == {"L0": (2, 2), "P1": (2, 2), "FC": (2, 4)}
    assert genome.homogeneous()[2]["FC"] == (2, 4)
    with pytest.raises(InputError, match=r"FX: no such site: the sites are L0"):
        Genome(SITES, ((4, 4),), {"FX": 4})
    with pytest.raises(InputError, match="no activations so wide"):
        Genome(SITES, ((4, 4),), {"FC": 8})


def test_what_the_hardware_does_not_offer_is_refused() -> None:
    with pytest.raises(InputError, match=r"bits of P1: 4x8: the architecture offers"):
        Genome(SITES, load_arch("silago").precisions).encode({"L0": (4, 4), "P1": (4, 8), "FC": (4, 4)})


def test_the_name_is_what_the_command_line_takes() -> None:
    assert name_of({"L0": (8, 8), "FC": (2, 4)}) == "L0=8x8,FC=2x4"


def test_fixed_sites_have_no_genes() -> None:
    genome = Genome(SITES, load_arch("bitfusion").precisions, fixed={"P1": (16, 16)})
    assert genome.upper.tolist() == [3] * 4
    bits = genome.decode([0, 1, 2, 3])
    assert bits == {"L0": (2, 4), "P1": (16, 16), "FC": (8, 16)}
    assert genome.encode(bits).tolist() == [0, 1, 2, 3]
    assert {b["P1"] for b in genome.homogeneous().values()} == {(16, 16)}
    for fixed, message in [({"FX": (4, 4)}, r"fixed\.FX: no such site"), ({"P1": (3, 3)}, "P1: 3x3: the architecture offers"),
                           (dict.fromkeys(SITES, (8, 8)), "nothing is left")]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            Genome(SITES, load_arch("bitfusion").precisions, fixed=fixed)
