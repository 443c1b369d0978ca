"""MOHAQ's closed forms against its published table (tests' figures: J. Systems Architecture 2022 and its code)."""

import pytest

from simulators import Elementwise, Matmul, Trace, load_trace
from simulators.closed_forms.mohaq import (
    compression,
    memory_mib,
    silago_energy_uj,
    silago_mac_uj,
    silago_sram_uj,
    speedup,
)

SITES = {
    "L0": (3300, 23),
    "P1": (256, 1100),
    "L1": (3300, 256),
    "P2": (256, 1100),
    "L2": (3300, 256),
    "P3": (256, 1100),
    "L3": (3300, 256),
    "FC": (1904, 1100),
}


def sru(weights: dict[str, int], activations: dict[str, int]) -> Trace:
    """MOHAQ's SRU over one frame with bits by site."""
    layers: list[Matmul | Elementwise] = []
    for site, (out, into) in SITES.items():
        layers.append(
            Matmul(
                name=site,
                out_features=out,
                in_features=into,
                steps=1,
                weight_bits=weights[site],
                activation_bits=activations[site],
                output_bits=16,
            )
        )
        if site.startswith("L"):
            layers.append(
                Elementwise(
                    name="E" + site[1:],
                    ops={"multiply": 22_000},
                    inputs=3300,
                    outputs=1100,
                    steps=1,
                    vector_parameters=2200,
                )
            )
    return Trace(name="sru", steps=1, layers=tuple(layers))


@pytest.mark.parametrize(
    ("bits", "mib", "sram", "mac", "total", "gain"),
    [
        (16, 10.602, 7.115, 9.245, 16.360, 0.984),
        (8, 5.309, 3.563, 3.008, 6.571, 1.969),
        (4, 2.663, 1.787, 0.850, 2.638, 3.938),
    ],
)
def test_table(bits: int, mib: float, sram: float, mac: float, total: float, gain: float) -> None:
    trace = load_trace(f"mohaq-sru-{bits}bit")
    assert trace.macs == 300 * 5_549_500
    assert trace.ops == 300 * 88_000
    assert round(memory_mib(trace), 3) == mib
    assert round(silago_sram_uj(trace), 3) == sram
    assert round(silago_mac_uj(trace), 3) == mac
    assert round(silago_energy_uj(trace), 3) == total
    assert round(speedup(trace, "silago"), 3) == gain


def test_headline_of_the_first_version() -> None:
    bits = dict.fromkeys(SITES, 4) | {"FC": 8}
    trace = sru(bits, bits)
    assert round(memory_mib(trace), 2) == 3.66
    assert round(silago_energy_uj(trace), 3) == 4.122
    assert round(speedup(trace, "silago"), 3) == 3.195
    ones = dict.fromkeys(SITES, 4)
    best, base = sru(ones, ones), sru(dict.fromkeys(SITES, 16), dict.fromkeys(SITES, 16))
    assert round(speedup(trace, "silago") / 4, 2) == 0.80
    assert round(silago_energy_uj(base) / silago_energy_uj(trace), 2) == 3.97
    assert round(silago_energy_uj(base) / silago_energy_uj(best), 2) == 6.20


def test_bit_fusion_figures() -> None:
    assert round(speedup(load_trace("mohaq-sru-8bit"), "bitfusion"), 2) == 3.94
    assert round(speedup(load_trace("mohaq-sru-4bit"), "bitfusion"), 2) == 15.75
    ceiling = load_trace("mohaq-sru-2bit")
    assert round(speedup(ceiling, "bitfusion"), 1) == 51.1
    assert round(memory_mib(ceiling), 2) == 1.34


# Bits of L0-3, P1-3 and FC: weights, then activations; then compression and Bit Fusion speedup as published.
FRAGMENTS = [
    ((8, 2, 4, 4), (8, 16, 4, 16), (2, 8, 2), (16, 8, 4), (2, 8), 10.6, 12.4),
    ((4, 4, 4, 4), (8, 16, 2, 8), (2, 16, 2), (4, 4, 16), (2, 4), 8.7, 20.8),
    ((4, 2, 4, 2), (16, 4, 8, 2), (4, 2, 2), (2, 2, 16), (2, 8), 13.0, 26.8),
    ((4, 2, 2, 2), (16, 2, 2, 2), (2, 2, 2), (4, 4, 4), (2, 4), 15.6, 45.5),
]


@pytest.mark.parametrize("row", FRAGMENTS)
def test_published_candidates(row: tuple[tuple[int, ...], ...]) -> None:
    l_w, l_a, p_w, p_a, fc, published_compression, published_speedup = row
    weights = {f"L{i}": b for i, b in enumerate(l_w)} | {f"P{i + 1}": b for i, b in enumerate(p_w)} | {"FC": fc[0]}
    activations = {f"L{i}": b for i, b in enumerate(l_a)} | {f"P{i + 1}": b for i, b in enumerate(p_a)} | {"FC": fc[1]}
    trace = sru(weights, activations)
    assert round(compression(trace), 1) == published_compression
    assert round(speedup(trace, "bitfusion"), 1) == published_speedup


def test_energy_of_two_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="L0: 2 bits"):
        silago_energy_uj(load_trace("mohaq-sru-2bit"))
