"""Which mapping each product has: a spec's own by the names of layers, and what is said of it on every platform."""

import re

import pytest

from simulators import Conv2d, Elementwise, InputError, Matmul, Trace, load_arch, simulate, simulate_batch
from simulators.run.simulation import simulator
from simulators.run.trace_batch import TraceBatch

TILES = "outer: outputs, out_tile: 64, in_tile: 32, vector_tile: 4"
OTHERS = "outer: vectors, out_tile: 16, in_tile: 64, vector_tile: 8"


def product(name: str, recurrent: bool = False) -> Matmul:
    return Matmul(
        name=name, out_features=128, in_features=128, steps=20, weight_bits=8, activation_bits=8, output_bits=8,
        recurrent=recurrent,
    )  # fmt: skip


TRACE = Trace(
    name="t", steps=20,
    layers=(product("P1"), product("P2"), product("Q1"), Elementwise(name="E", ops={"add": 9}, inputs=9, outputs=9, steps=20)),
)  # fmt: skip


def rows(change: str) -> dict[str, list[object]]:
    found = simulator(load_arch("bitfusion", [change])).mappings(TRACE.layers)
    return {name: [value for key, value in row.items() if key != "loops"] for name, row in found}


def test_the_first_entry_that_names_a_layer_is_its_mapping() -> None:
    own = rows("name=own")
    found = rows(f"mapping=[{{layers: P2, {OTHERS}}}, {{layers: 'P*', {TILES}}}]")
    assert found.keys() == own.keys()
    assert (found["P1"], found["P2"]) == (["outputs", 64, 32, 4], ["vectors", 16, 64, 8])
    assert rows(f"mapping={{{TILES}}}") == {name: ["outputs", 64, 32, 4] for name in own}


@pytest.mark.parametrize(("given", "taken"), [(1, 9), (9, 9), (16, 9), (20, 18), (35, 27), (36, 36), (500, 36)])
def test_a_reduction_of_a_convolution_is_cut_into_whole_channels(given: int, taken: int) -> None:
    """As the spec and docs/explore-hardware.md say."""
    layer = Conv2d(
        name="C", in_channels=8, out_channels=16, groups=2, kernel=(3, 3), input_size=(6, 6), steps=1, weight_bits=8,
        activation_bits=8, output_bits=8,
    )  # fmt: skip
    mapping = f"mapping={{outer: outputs, out_tile: 64, in_tile: {given}, vector_tile: 99}}"
    ((_, row),) = simulator(load_arch("bitfusion", [mapping])).mappings([layer])
    assert [value for key, value in row.items() if key != "loops"] == ["outputs", 8, taken, 16]


def test_layers_of_one_shape_are_mapped_apart_however_they_are_simulated() -> None:
    arch = load_arch("bitfusion", [f"mapping=[{{layers: P2, {OTHERS}}}, {{layers: 'Q*', {TILES}}}]"])
    report = simulate(TRACE, arch)
    alone = [
        simulate(TRACE, load_arch("bitfusion", [f"mapping={{{tiles}}}"])).layers[0].bits for tiles in (OTHERS, TILES)
    ]
    assert [layer.bits for layer in report.layers[1:3]] == alone
    assert report.layers[0].bits not in alone
    assert simulate(TRACE, arch, engine="simpy").cycles == report.cycles
    assert simulate_batch([TRACE, TRACE], arch).cycles.tolist() == [report.cycles] * 2
    assert simulate_batch(TRACE, arch, [[[8, 8]] * 3]).cycles[0] == simulate(TRACE.at_bits(8, 8), arch).cycles
    assert TraceBatch([TRACE]).on(arch).cycles.tolist() == [report.cycles]


def test_a_pattern_that_names_nothing_is_refused() -> None:
    arch = load_arch("bitfusion", [f"mapping=[{{layers: 'X?', {TILES}}}]"])
    with pytest.raises(InputError, match=r"bitfusion: mapping\[0\].layers: 'X\?': the trace has no such layer"):
        simulate(TRACE, arch)
    arch = load_arch("bitfusion", [f"mapping=[{{layers: 'P*', {TILES}}}, {{layers: P2, {OTHERS}}}]"])
    with pytest.raises(InputError, match=r"mapping\[1\].layers: 'P2': patterns before it name all of its layers"):
        simulate(TRACE, arch)
    with pytest.raises(InputError, match=r"mapping\[0\].out_tiles: unknown key; did you mean"):
        load_arch("bitfusion", [f"mapping=[{{layers: P1, {TILES}, out_tiles: 4}}]"])


def test_a_pattern_that_names_no_product_is_refused() -> None:
    rule = r"mapping\[0\].layers: 'E\*': E is no product: only products have tiles"
    arch = load_arch("bitfusion", [f"mapping=[{{layers: 'E*', {TILES}}}]"])
    with pytest.raises(InputError, match=rule):
        simulate(TRACE, arch)
    (reason,) = TraceBatch([TRACE]).on(arch).reasons
    assert re.search(rule, reason)
    both = load_arch("bitfusion", [f"mapping=[{{layers: '*', {TILES}}}, {{layers: E, {OTHERS}}}]"])
    with pytest.raises(InputError, match=r"mapping\[1\].layers: 'E': E is no product"):
        simulate(TRACE, both)


def loops(arch: str, layer: Matmul | Conv2d) -> object:
    ((_, row),) = simulator(load_arch(arch)).mappings([layer])
    return row["loops"]


def test_loops_are_written_from_the_outside_to_the_inside() -> None:
    arch = load_arch("bitfusion", [f"mapping={{{OTHERS}}}"])
    (_, row), *_ = simulator(arch).mappings(TRACE.layers)
    assert row["loops"] == (
        "for 3 tiles of 8 vectors", "  for 8 tiles of 16 outputs", "    for 2 parts of 64 inputs",
    )  # fmt: skip
    # 16 cells; 128 weights of 8 bits are 64 words, 4 rows of 16.
    assert loops("silago", product("U", recurrent=True)) == (
        "for 20 vectors, one after the other", "  for 8 waves of 16 outputs", "    for 4 rows of 16 words",
    )  # fmt: skip
    groups = Conv2d(
        name="c", in_channels=4, out_channels=4, groups=2, kernel=(1, 1), input_size=(2, 2), steps=1, weight_bits=8,
        activation_bits=8, output_bits=8,
    )  # fmt: skip
    assert str(loops("silago", groups)).startswith(
        "('for 2 products', '  for 1 waves of 2 outputs', '    for 4 vectors'"
    )
