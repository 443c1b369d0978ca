"""DRRA-2's cell: programs and schedules with exact figures, the algebra of repetitions, and what is refused.

Figures are rows d1, d3, d4, d5, q1 and q2 of `tests/reference/drra2_targets.csv`; starts of d5's events are those of
the schedule stored with DRRA-2's tool.
"""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.inputs.errors import InputError
from simulators.platforms.drra2.example_programs import instructions_of, template_cells
from simulators.platforms.drra2.port_nest import MOST_DELAY, MOST_REPETITIONS, PortLevel, PortNest, nest
from simulators.platforms.drra2.schedules import (
    After,
    Scheduled,
    earliest,
    elementwise_events,
    matrix_events,
    vector_load,
)
from simulators.platforms.drra2.sequencer import Activate, CellInstruction, Configure, Dsu, Halt, Rep, Wait, run_cell

TABLE = Path(__file__).parents[3] / "reference" / "drra2_targets.csv"
with TABLE.open() as file:
    ROWS = {row["id"]: row for row in csv.DictReader(file)}
CYCLES = {name: int(row["cycles"]) for name, row in ROWS.items()}

small = st.integers(1, 5)


@given(st.lists(st.tuples(small, st.integers(0, 3)), max_size=3))
def test_events_of_a_nest_are_those_of_loops_that_count(levels: list[tuple[int, int]]) -> None:
    made = PortNest(tuple(PortLevel(*level) for level in levels))
    cycles = [0]  # the innermost level's events first, written out
    end = 1
    for count, delay in levels:
        period = end + delay
        cycles = [cycle + turn * period for turn in range(count) for cycle in cycles]
        end = cycles[-1] + 1
    assert [made.at(event) for event in range(made.events)] == cycles
    assert made.length == end
    assert made.events == len(cycles)


@pytest.mark.parametrize(
    ("levels", "instructions"),
    [
        ((), 2),  # dsu and a rep of one
        (((64, 63),), 2),
        (((65, 0),), 3),
        (((2, 64),), 3),
        (((64, 0), (256, 60)), 4),
        (((MOST_REPETITIONS, MOST_DELAY),), 3),
        (((MOST_REPETITIONS + 1, 0),), 4),
    ],
)
def test_a_level_beyond_six_bits_takes_one_more_instruction(
    levels: tuple[tuple[int, int], ...], instructions: int
) -> None:
    assert nest(*levels).configurations == instructions
    assert nest(*levels).events >= max([1, *(count for count, _ in levels)])


def test_example_programs_take_the_published_cycles() -> None:
    for name in ("d1", "d3"):
        program = instructions_of(ROWS[name]["operation"])
        assert program is not None
        assert run_cell(program).cycles == CYCLES[name]
    for cell, program in template_cells().items():
        assert run_cell(program).cycles == CYCLES["d4"], cell


def test_programs_in_words_are_read_whole_or_not_at_all() -> None:
    by_hand = (*(Configure("swb"),) * 2, Activate(), Wait(7), Halt())
    assert instructions_of("some example; program: 2 swb, act, wait 7, halt (one cell)") == by_hand
    for text in ("2 swb, act, wait 7", "wait, halt", "swb 3, halt", "element-wise product 32 elements", ""):
        assert instructions_of(text) is None


def test_ports_of_the_example_meet_as_in_the_stored_schedule_behind_its_configurations() -> None:
    starts = {run.port: run.start for program in template_cells().values() for run in run_cell(program).runs}
    table = earliest(elementwise_events(32, operands=2, transfer=0)).starts
    configured = 16
    assert starts == {name: configured + start for name, start in table.items() if name in starts}
    assert set(table) - set(starts) == {"route", "switch box"}
    ends = [run.end for program in template_cells().values() for run in run_cell(program).runs]
    assert max(ends) + 1 == CYCLES["d4"] == configured + CYCLES["d5"] + 1, "HALT is behind the last event"


def test_stored_schedules_have_their_starts() -> None:
    a = earliest(elementwise_events(32, operands=2, transfer=0))
    assert a.starts == {
        "buffer read": 0, "route": 0, "switch box": 0, "sram read": 1, "file 1 row write": 1, "file 2 row write": 2,
        "word read": 3, "file 3 word write": 4, "file 3 row read": 35, "sram write": 35, "buffer write": 36,
    }  # fmt: skip
    assert a.latency == CYCLES["d5"]
    b = earliest(elementwise_events(32, operands=2, transfer=1))
    assert (b.starts["word read"], b.starts["file 3 word write"]) == (4, 6)
    assert b.latency == 41  # by hand: rows 2..5, reads 4..35, results 6..37, rows 37 38, 38 39, 39 40


def test_derived_schedules_have_their_minima() -> None:
    assert earliest(elementwise_events(512, operands=2, transfer=0)).latency == CYCLES["q1"]
    table = earliest(matrix_events(32, 32))
    assert vector_load(2) + table.latency == CYCLES["q2"]
    assert (table.starts["file 2 row write"], table.starts["word read"], table.latency) == (2, 3, 1032)


@given(st.integers(1, 700), st.sampled_from([1, 2]), st.sampled_from([0, 1]))
def test_no_word_is_read_before_its_row_and_no_row_before_its_results(n: int, operands: int, transfer: int) -> None:
    """Event by event: rows, words and results, without the rules that made the schedule."""
    events = {event.name: event.nest for event in elementwise_events(n, operands, transfer)}
    starts = earliest(elementwise_events(n, operands, transfer)).starts

    def cycles(name: str) -> list[int]:
        return [starts[name] + events[name].at(event) for event in range(events[name].events)]

    assert events["buffer read"].events == operands * -(-n // 16)
    words, results, out = cycles("word read"), cycles("file 3 word write"), cycles("file 3 row read")
    for operand in range(operands):
        rows = cycles(f"file {operand + 1} row write")
        assert all(words[i] > rows[i // 16] for i in range(n))
        assert all(row > words[16 * (k - 4) + 15] for k, row in enumerate(rows) if k >= 4), "four rows have room"
        assert [row - transfer for row in rows] == cycles("sram read")[operand::operands]
    assert all(out[k] > results[min(16 * k + 15, n - 1)] for k in range(len(out)))
    assert cycles("buffer write")[-1] + 1 == earliest(elementwise_events(n, operands, transfer)).latency


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ([Activate(("a",)), Halt()], r"instruction 0: act of a, whose first address no dsu has set"),
        ([Rep("a", 2), Halt()], r"instruction 0: rep of a, whose first address no dsu has set"),
        ([Dsu("a"), Rep("a", 9), Activate(("a",)), Activate(("a",)), Halt()],
         r"instruction 3: act of a in cycle 3: it is busy up to 10"),
        ([Dsu("a"), Rep("a", 5000), Halt()], r"instruction 1: level 0: 5000 repetitions: rep and repx hold 1 to 4160"),
        ([Dsu("a"), Rep("a", 2, 4096), Halt()], r"a delay of 4096: rep and repx hold 0 to 4095"),
        ([Wait(-1), Halt()], r"instruction 0: wait -1: expected 0 or more"),
        ([Halt(), Wait(1)], r"instruction 1: behind HALT"),
        ([Wait(1)], r"a program without HALT"),
        ([Configure("routes", 256), Halt()], r"257 instructions: a cell's memory holds 256"),
    ],
)  # fmt: skip
def test_programs_that_cannot_be_are_refused(program: list[CellInstruction], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_cell(program)


def test_schedules_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match=r"event a: it waits for b, which does not come before it"):
        earliest([Scheduled("a", nest(), (After("b", 1),))])
    for elements, operands in ((0, 1), (4, 3)):
        with pytest.raises(InputError, match=rf"{elements} elements of {operands} operands"):
            elementwise_events(elements, operands, 0)
    with pytest.raises(
        InputError, match=r"65 outputs of 20 inputs: expected up to 64 outputs, and inputs of whole rows"
    ):
        matrix_events(65, 20)
