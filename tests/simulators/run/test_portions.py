"""Portions of architectures: each is given once, and what shares segments and choices to one worker."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import load_arch
from simulators.hardware.arch import Arch
from simulators.lowering.platform import platform_named
from simulators.run.portions import LONGEST, Portions, alike


def archs(rows: Any, kib: Any, mhz: Any) -> list[Arch]:
    """The clock is the outermost: those of one choice do not stand together."""
    return [
        load_arch("bitfusion", [f"array.rows={r}", f"buffers.weight_kib={k}", f"frequency_mhz={f}"])
        for f, r, k in product(mhz, rows, kib)
    ]


GRID = archs((4, 8, 16), (8, 16, 32, 64), (250, 500))
MIXED = [*GRID[:9], load_arch("silago"), *GRID[9:], load_arch("silago")]


def test_alike_keeps_what_shares_choices_side_by_side() -> None:
    groups = [[list(unit) for unit in group] for group in alike(GRID)]
    # Three arrays; in each four buffers, and both clocks of each side by side, which stand 12 apart.
    assert groups == [[[i, i + 12] for i in range(4 * array, 4 * array + 4)] for array in range(3)]


@pytest.mark.slow
def test_a_unit_is_divided_only_where_it_is_long() -> None:
    clocks = archs((4,), (8,), range(100, 100 + 2 * LONGEST + 3))
    assert [len(unit) for group in alike(clocks) for unit in group] == [LONGEST, LONGEST, 3]


def test_workers_share_no_choices_where_there_is_other_work() -> None:
    portions = Portions(GRID)
    by_worker: dict[str, list[int]] = {"a": [], "b": []}
    while portions.left:
        for worker, positions in by_worker.items():
            positions += portions.next_for(worker)
    platform = platform_named("bitfusion")
    keys = {worker: {platform.choices_key(GRID[i].spec) for i in mine} for worker, mine in by_worker.items()}
    assert sorted([*by_worker["a"], *by_worker["b"]]) == list(range(24))
    assert not keys["a"] & keys["b"]
    assert {len(mine) for mine in by_worker.values()} == {12}  # the third array's buffers are divided among both


def test_what_a_worker_had_is_for_others_when_it_is_gone() -> None:
    portions = Portions(GRID)
    first, other = portions.next_for("a"), portions.next_for("b")
    portions.keep(["b"])
    rest = [i for _ in range(30) for i in portions.next_for("b")]
    assert sorted(first + other + rest) == list(range(24))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9), st.booleans()), min_size=1, max_size=40))
def test_every_architecture_is_given_once(asks: list[tuple[str, int, bool]]) -> None:
    portions, given_out = Portions(MIXED), []
    for worker, most, leaves in asks:
        taken = portions.next_for(worker, most)
        assert len(taken) <= most
        given_out += taken
        if leaves:
            portions.keep([other for other in "abcd" if other != worker])
    portions.keep(["e"])
    while taken := portions.next_for("e", 3):
        given_out += taken
    assert Counter(given_out) == Counter(range(len(MIXED)))
    assert portions.left == 0
