"""BISMO's cost model and peak figures, as published, and what the shipped specs make of them."""

import pytest

from simulators import load_arch
from simulators.hardware.area import area_mm2
from simulators.platforms.bit_serial.cost_model import array_luts, block_rams, main, peak_gops
from simulators.platforms.bit_serial.published import PublishedArray
from simulators.platforms.bit_serial.spec import BitSerialSpec

INSTANCES = {  # Dm x Dk x Dn: MHz, binary GOPS, LUTs of the array, block RAMs
    (2, 64, 2): (200, 102.4, 956, 8),
    (8, 64, 8): (200, 1638.4, 15301, 32),
    (8, 256, 8): (200, 6553.6, 29678, 128),
    (10, 256, 10): (300, 15360, 46372, 160),
    (16, 256, 16): (200, 26214.4, 118712, 256),
}
SHIPPED = {
    "bit-serial-edge": (8, 64, 8),
    "bit-serial-pynq-z1": (8, 256, 8),
    "bit-serial-ultra96": (10, 256, 10),
    "bit-serial-cloud": (16, 256, 16),
    "bit-serial-cloud-published": (16, 256, 16),
}


@pytest.mark.parametrize("shape", INSTANCES)
def test_published_instances(shape: tuple[int, int, int]) -> None:
    rows, word_bits, columns = shape
    mhz, gops, luts, memories = INSTANCES[shape]
    array = PublishedArray(rows, columns, word_bits, 1024 * rows, 1024 * columns)
    assert peak_gops(array, mhz) == pytest.approx(gops)
    assert round(array_luts(array)) == luts
    assert block_rams(array) == memories


def test_deeper_memories_take_more_block_rams() -> None:
    assert block_rams(PublishedArray(2, 3, 64, 2 * 1024, 3 * 1025)) == 2 * (2 * 1 + 3 * 2)
    assert block_rams(PublishedArray(2, 3, 65, 1, 1)) == 3 * (2 + 3)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_specs_are_these_instances(name: str) -> None:
    arch = load_arch(name)
    spec, (mhz, gops, luts, memories) = arch.spec, INSTANCES[SHIPPED[name]]
    assert isinstance(spec, BitSerialSpec)
    array = spec.published_array
    assert spec.frequency_mhz == mhz
    assert (array.rows, array.word_bits, array.columns) == SHIPPED[name]
    assert peak_gops(array, spec.frequency_mhz) == pytest.approx(gops)
    assert block_rams(array) == memories
    assert spec.area is not None
    assert area_mm2(arch) == {
        "array": pytest.approx(luts * spec.area.lut_mm2, rel=1e-4),
        "buffers": block_rams(array) * spec.area.block_ram_mm2,
    }
    assert set(spec.precisions) == {(w, a) for w in range(1, 9) for a in range(1, 9)}


def test_the_one_figure_of_energy_is_eight_watts_at_the_peak() -> None:
    spec = load_arch("bit-serial-ultra96").spec
    assert isinstance(spec, BitSerialSpec)
    watts = peak_gops(spec.published_array, spec.frequency_mhz) * 1e9 * spec.energy.pj_per_binary_operation * 1e-12
    assert watts == pytest.approx(8)


def test_the_command_lists_shipped_specs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:]] == sorted(SHIPPED)
    assert main(["bit-serial-ultra96"]) == 0
    assert "15,360.0    46,372       160" in capsys.readouterr().out
    assert main(["bitfusion"]) == 2
    assert main(["nothing"]) == 2
