"""HAQ's budget procedure on its published policy and latency table, and against the loops of its release."""

import csv
from collections.abc import Callable, Mapping, Sequence

import pytest
from paths import ROOT

from search.methods.ddpg import budget_procedure
from search.methods.ddpg.budget_procedure import narrowing, within_budget
from simulators import load_trace

LAYERS = load_trace("mobilenet-v2-haq").layers
NAMES = [layer.name for layer in LAYERS]
README = {layer.name: layer.operand_bits for layer in LAYERS}
"""The policy of HAQ's README, with the image at the 7 bits that it is looked up at."""
EIGHT = dict.fromkeys(NAMES, (8, 8))
ORIGINAL = 39_624_933
"""Cycles of 8 bits everywhere."""
FREE = [(w, a) for w in range(2, 9) for a in range(2, 9)]
LEGAL = dict.fromkeys(NAMES, FREE) | {NAMES[0]: [(8, 7)], NAMES[-1]: [(8, 8)]}


def table() -> dict[tuple[int, int, int], int]:
    """HAQ's table: (layer, weight bits, activation bits) → cycles."""
    with (ROOT / "arch_specs/haq_mobilenetv2_cloud_latency.csv").open() as file:
        return {(int(r["layer"]), int(r["w_bits"]), int(r["a_bits"])): int(r["cycles"]) for r in csv.DictReader(file)}


@pytest.fixture(scope="module")
def cycles() -> Callable[[Mapping[str, tuple[int, int]]], int]:
    entries = table()
    return lambda bits: sum(entries[i, *pair] for i, pair in enumerate(bits.values()))


def keeping(cycles: Callable[[Mapping[str, tuple[int, int]]], int], ratio: float) -> Callable[..., list[bool]]:
    return lambda candidates: [cycles(bits) <= ratio * ORIGINAL for bits in candidates]


def test_the_published_policy_keeps_its_budget_and_is_left_alone(cycles: Callable[..., int]) -> None:
    assert cycles(EIGHT) == ORIGINAL
    assert cycles(README) == 23_433_397
    assert f"{cycles(README) / ORIGINAL:.4f}" == "0.5914"
    assert cycles({**README, NAMES[0]: (8, 8)}) / ORIGINAL == pytest.approx(0.5964, abs=1e-4)
    assert within_budget(README, LEGAL, keeping(cycles, 0.6)) == README


def released(pairs: list[list[int]], cost: Callable[[list[list[int]]], int], target: float) -> list[list[int]]:
    """The sweeps in the words of the reference: one step at a time, ends reset after each."""
    while True:
        for i in reversed(range(len(pairs))):
            for operand in (1, 0):
                if pairs[i][operand] > 2:
                    pairs[i][operand] -= 1
                pairs[0], pairs[-1] = [8, 7], [8, 8]
                if cost(pairs) <= target:
                    return pairs


@pytest.mark.parametrize("ratio", [0.9, 0.6, 0.45, 0.3])
@pytest.mark.parametrize("start", [EIGHT, README], ids=["8 bits", "published"])
def test_it_is_the_released_sweep(
    start: Mapping[str, tuple[int, int]], ratio: float, cycles: Callable[..., int]
) -> None:
    begun = {**start, NAMES[0]: (8, 7), NAMES[-1]: (8, 8)}
    entries = table()

    def cost(pairs: list[list[int]]) -> int:
        return sum(entries[i, w, a] for i, (w, a) in enumerate(pairs))

    found = within_budget(begun, LEGAL, keeping(cycles, ratio))
    pairs = [list(pair) for pair in begun.values()]
    wanted = pairs if cost(pairs) <= ratio * ORIGINAL else released(pairs, cost, ratio * ORIGINAL)
    assert [list(pair) for pair in found.values()] == wanted
    if found != begun:  # with the last step back it is beyond
        path = [begun, *narrowing(begun, LEGAL)]
        assert cycles(path[path.index(found) - 1]) > ratio * ORIGINAL >= cycles(found)


def test_it_ends_at_the_narrowest_where_nothing_keeps_the_budget(cycles: Callable[..., int]) -> None:
    legal = LEGAL | {NAMES[0]: [(8, 8)]}
    found = within_budget(EIGHT, legal, keeping(cycles, 0.1))
    assert found == dict.fromkeys(NAMES, (2, 2)) | {NAMES[0]: (8, 8), NAMES[-1]: (8, 8)}
    assert f"{cycles(found) / ORIGINAL:.3f}" == "0.210"


def test_the_order_of_steps_by_hand() -> None:
    """The last site first, activations before weights, each to its own lower bound; A is protected."""
    wide = [(w, a) for w in (2, 4, 8) for a in (2, 4, 8)]
    legal = {"A": [(8, 8)], "B": wide, "C": [(w, a) for w, a in wide if a >= 4]}
    begun = {"A": (8, 8), "B": (4, 8), "C": (4, 4)}
    steps = [(bits["B"], bits["C"]) for bits in narrowing(begun, legal)]
    assert steps == [((4, 8), (2, 4)), ((4, 4), (2, 4)), ((2, 4), (2, 4)), ((2, 2), (2, 4))]


def test_tied_widths_fall_together() -> None:
    legal = {site: [(4, 4), (8, 8), (16, 16)] for site in "AB"}
    steps = [tuple(bits.values()) for bits in narrowing({"A": (8, 8), "B": (16, 16)}, legal)]
    assert steps == [((8, 8), (8, 8)), ((4, 4), (8, 8)), ((4, 4), (4, 4))]


def test_how_many_are_asked_for_together_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    legal, asked = dict.fromkeys("AB", FREE), list[int]()

    def keeps(candidates: Sequence[Mapping[str, tuple[int, int]]]) -> list[bool]:
        asked.append(len(candidates))
        return [sum(w * a for w, a in bits.values()) <= 30 for bits in candidates]

    many = within_budget({"A": (8, 8), "B": (8, 8)}, legal, keeps)
    assert asked == [1, 16, 8]
    monkeypatch.setattr(budget_procedure, "FIRST_ASKED", 1)
    monkeypatch.setattr(budget_procedure, "MOST_ASKED", 1)
    assert within_budget({"A": (8, 8), "B": (8, 8)}, legal, keeps) == many
