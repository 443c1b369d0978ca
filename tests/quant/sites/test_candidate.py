"""How candidates are written, and what is refused."""

from pathlib import Path

import pytest

from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import homogeneous, parse_bits
from simulators.inputs.errors import InputError

SITES = Network(geometry("sru", {"layers": 2, "cells": 4, "projection": 3, "outputs": 3})).sites  # L0, P1, L1, FC


def test_every_way_to_write_a_candidate(tmp_path: Path) -> None:
    assert parse_bits("8", SITES) == homogeneous(SITES, 8) == dict.fromkeys(("L0", "P1", "L1", "FC"), (8, 8))
    assert parse_bits("4x8", SITES) == homogeneous(SITES, 4, 8)
    expected = {"L0": (8, 8), "P1": (2, 4), "L1": (16, 16), "FC": (4, 8)}
    assert parse_bits("L0=8,P1=2x4, L1=16x16,FC=4x8", SITES) == expected
    assert parse_bits("4x8,L*=16,L1=8", SITES) == homogeneous(SITES, 4, 8) | {"L0": (16, 16), "L1": (8, 8)}
    file = tmp_path / "bits.yaml"
    file.write_text("L0: 8\nP1: [2, 4]\nL1: 16x16\nFC: 4x8\n")
    assert parse_bits(str(file), SITES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "3 bits: it must be one of 2, 4, 8, 16"),
        ("8x", "'8x': it must be a width such as 8"),
        ("-8", "'-8': it must be a width"),
        ("", "'': it must be a width"),
        ("L0=8", "no bits for P1, L1, FC: the sites are L0, P1, L1, FC"),
        ("L0=8,P1=8,L1=8,FC=8,L9=8", "L9: no such site"),
        ("L0=8,L0=4", "L0 is named twice"),
        ("8,U*=16", r"U\*: no such site: the sites are L0, P1"),
        ("L0=8x8x8,P1=8,L1=8,FC=8", "'8x8x8': it must be"),
        ("nowhere.yaml", "nowhere.yaml: cannot be read: No such file"),
    ],
)
def test_bad_candidates(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_bits(text, SITES)


def test_a_bad_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bits.yaml"
    file.write_text("L0: 8\nP1: [2, 4, 8]\nL1: 16\nFC: 4\n")
    with pytest.raises(InputError, match=r"bits\.yaml:2:5: P1: .*\[2, 4, 8\]"):
        parse_bits(str(file), SITES)
