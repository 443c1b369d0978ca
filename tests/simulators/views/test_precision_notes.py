"""Bits that an array multiplies and its spec does not list are simulated and said."""

import pytest

from simulators import InputError, load_arch, load_trace, simulate
from simulators.views.precision_notes import unlisted_precisions


def test_listed_bits_need_no_word() -> None:
    assert unlisted_precisions(load_trace("mohaq-sru-4bit"), [load_arch("bitfusion"), load_arch("silago")]) == []


@pytest.mark.parametrize(
    ("bits", "published", "line"),
    [
        ((3, 3), False, "3x3 bits (weights x activations): stored as they are, multiplied as 4x4; not among"),
        ((1, 12), False, "1x12 bits (weights x activations): stored as they are, multiplied as 2x16; not among"),
        ((3, 3), True, "3x3 bits (weights x activations); not among the precisions that a search offers: 2/4/8/16 x 2"),
    ],
)
def test_what_is_done_with_other_bits_is_said(bits: tuple[int, int], published: bool, line: str) -> None:
    trace = load_trace("lstm-128-8bit").at_bits(*bits)
    (said,) = unlisted_precisions(trace, [load_arch("bitfusion")], published)
    assert said.startswith(f"bitfusion: {line}")


def test_what_an_epiphany_widens_is_said_of_all_alike() -> None:
    names = ("epiphany-e16", "epiphany-e64", "bitfusion")
    lines = unlisted_precisions(load_trace("mohaq-sru-4bit"), [load_arch(name) for name in names])
    assert lines == [
        "epiphany-e16, epiphany-e64: 4x4 bits (weights x activations): stored as 4x16, multiplied as 16x16; not among "
        "the precisions that a search offers: 1/2/4/8/16 x 16"
    ]
    four, sixteen = (load_trace("lstm-128-8bit").at_bits(4, bits) for bits in (4, 16))
    narrow, wide = (simulate(trace, load_arch("epiphany-e16")) for trace in (four, sixteen))
    assert narrow.cycles == wide.cycles  # activations of 4 bits lie and are multiplied as those of 16
    assert [layer.bits for layer in narrow.layers] == [layer.bits for layer in wide.layers]


def test_what_is_said_is_what_is_simulated() -> None:
    arch = load_arch("bitfusion", ["mapping={outer: outputs, out_tile: 64, in_tile: 64, vector_tile: 8}"])
    three, four = (simulate(load_trace("lstm-128-8bit").at_bits(b, b), arch) for b in (3, 4))
    for narrow, wide in zip(three.layers, four.layers, strict=True):
        assert narrow.busy_cycles == wide.busy_cycles  # multiplied alike
        if narrow.macs:
            assert narrow.bits["weight_buffer_write"] * 4 == wide.bits["weight_buffer_write"] * 3  # stored at 3 bits


def test_a_variant_is_told_once_and_a_shorter_list_counts() -> None:
    trace, arch = load_trace("lstm-128-8bit"), load_arch("bitfusion", ["precisions=[[4, 4]]"])
    assert unlisted_precisions(trace, [arch, arch]) == [
        "bitfusion: 8x8 bits (weights x activations); not among the precisions that a search offers: 4 x 4"
    ]


def test_silago_refuses_what_it_does_not_list() -> None:
    with pytest.raises(InputError, match="3x3 bits: silago multiplies 4x4, 8x8, 16x16"):
        simulate(load_trace("lstm-128-8bit").at_bits(3, 3), load_arch("silago"))
