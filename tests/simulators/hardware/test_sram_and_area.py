"""Buffers from CACTI's table, areas, and the shipped variants."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators import InputError, arch_names, load_arch, load_trace, simulate
from simulators.hardware.area import area_mm2
from simulators.lowering.platform import platform_named
from simulators.platforms.bitfusion.spec import Array, BitFusionSpec, Buffers, sram_of

ARRAY = Array(rows=16, columns=32, unit_operand_bits=8)


def sizes(input_kib: float = 32, weight_kib: float = 64, output_kib: float = 16) -> Buffers:
    return Buffers(input_kib=input_kib, weight_kib=weight_kib, output_kib=output_kib, partial_sum_bits=32)


def test_the_published_configuration_has_its_published_figures() -> None:
    """Energies of the released simulator to its four digits, 212 mW, and areas 0.767, 0.242, 0.243 mm2."""
    found = sram_of(ARRAY, sizes())
    figures = {
        name: (round(b.read_pj_per_bit, 4), round(b.write_pj_per_bit, 4), round(b.area_mm2, 3))
        for name, b in found.items()
    }
    assert figures == {
        "input_buffer": (0.0595, 0.1137, 0.242),
        "weight_buffer": (0.0214, 0.0289, 0.767),
        "output_buffer": (0.0332, 0.0731, 0.243),
    }
    assert sum(b.leakage_mw for b in found.values()) == pytest.approx(212, abs=0.5)
    assert (found["weight_buffer"].banks, found["input_buffer"].banks, found["output_buffer"].banks) == (512, 16, 32)
    spec = load_arch("bitfusion").spec
    assert isinstance(spec, BitFusionSpec)
    assert spec.leakage_mw == pytest.approx(242, abs=0.5)


@settings(max_examples=200)
@example(small=0.34375, factor=1.125, rows=1, columns=3, bits=2)
@given(
    small=st.floats(0.125, 60_000), factor=st.floats(1, 50), rows=st.integers(1, 128), columns=st.integers(1, 128),
    bits=st.sampled_from([2, 4, 8]),
)  # fmt: skip
def test_a_larger_buffer_leaks_more_and_is_larger(
    small: float, factor: float, rows: int, columns: int, bits: int
) -> None:
    array = Array(rows=rows, columns=columns, unit_operand_bits=bits)
    before, after = (sram_of(array, sizes(s, s, s)) for s in (small, small * factor))
    for name in before:
        # With blocks of one byte a bank of 128 bytes has 0.62 of the area of half a bank of 256, and 0.79 of its leakage.
        more_of_a_byte = bits == 2 and name != "output_buffer" and after[name].banks > before[name].banks
        leakage, area = (0.79, 0.62) if more_of_a_byte else (1 - 1e-9, 1 - 1e-9)
        assert after[name].leakage_mw >= before[name].leakage_mw * leakage
        assert after[name].area_mm2 >= before[name].area_mm2 * area
        assert 0 < before[name].read_pj_per_bit < 10
        assert before[name].banks * before[name].bank_bytes == pytest.approx(small * 1024)


def test_figures_follow_the_buffers_only_where_they_are_asked_to() -> None:
    def energy(*changes: str) -> tuple[float, float]:
        spec = load_arch("bitfusion", changes).spec
        assert isinstance(spec, BitFusionSpec)
        return spec.buffer_energy("weight_buffer").read, spec.leakage_mw

    larger = energy("buffers.weight_kib=1024")
    assert larger[0] > energy()[0]
    assert larger[1] > energy()[1]
    fixed = "energy.weight_buffer_pj_per_bit={read: 0.5, write: 0.6}"
    assert energy("buffers.weight_kib=1024", fixed)[0] == 0.5


def test_sizes_that_the_table_lacks_are_refused_with_the_key() -> None:
    with pytest.raises(InputError, match=r"buffers\.input_kib=0\.01: 0\.01: the CACTI table begins at 128 bytes"):
        load_arch("bitfusion", ["buffers.input_kib=0.01"])


@pytest.mark.slow
# edgedrnn is an FPGA, of at most 1,024 neurons a layer; of DRRA-2 there is no area, and it multiplies 16 bits
@pytest.mark.parametrize("name", sorted({*arch_names()} - {"edgedrnn", "drra2", "drra2-large"}))
def test_every_shipped_variant_runs_or_says_what_is_too_small(name: str) -> None:
    arch = load_arch(name)
    assert sum(area_mm2(arch).values()) > 0
    ran = 0
    for bits in (16, 8, 4, 2):
        if (bits, bits) in arch.precisions or platform_named(arch.platform).runs_unlisted_precisions:
            try:
                report = simulate(load_trace(f"mohaq-sru-{bits}bit"), arch)
            except InputError as error:
                assert "too few" in str(error) or "too many" in str(error)
            else:
                ran += 1
                assert 0 < report.utilisation <= 1
    assert ran >= 3


def test_variants_order_as_they_should() -> None:
    def latency(arch: str) -> float:
        return simulate(load_trace("mohaq-sru-4bit"), load_arch(arch)).latency_ms

    assert latency("bitfusion-dram64") > latency("bitfusion-dram128") > latency("bitfusion") > latency("bitfusion-hbm2")
    assert latency("bitfusion-small") > latency("bitfusion") > latency("bitfusion-large")
    assert latency("silago-small") > latency("silago") > latency("silago-large")


def test_area_without_figures_is_refused() -> None:
    arch = load_arch("silago", ["area=null"])
    with pytest.raises(InputError, match="the spec gives no figures"):
        area_mm2(arch)
    areas = [area_mm2(load_arch("silago", [f"fabric.columns={n}"]))["cells"] for n in (8, 16)]
    assert areas[1] == pytest.approx(2 * areas[0])
