"""The vector add of the published test bench, event by event, and what follows from its rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import InputError, load_arch
from simulators.engine import reference
from simulators.platforms.silago import cell
from simulators.platforms.silago.cell import MACHINE, Event, Instruction, cycles, run, vector_add
from simulators.platforms.silago.spec import SilagoSpec

SPEC = load_arch("silago").spec
assert isinstance(SPEC, SilagoSpec)


def test_the_programs_delays_are_the_published_ones() -> None:
    delays = [(i.name, i.delay) for i in vector_add(16, SPEC) if i.name.startswith("REFI")]
    assert delays == [
        ("REFI write", 18), ("REFI read 0", 16), ("REFI row", 4), ("REFI read 1", 12), ("REFI row", 7),
    ]  # fmt: skip
    waits = [i.name for i in vector_add(16, SPEC) if i.name.startswith("WAIT")]
    assert waits == ["WAIT 3", "WAIT 16"]


def test_every_event_of_the_published_bench() -> None:
    events = run(vector_add(16, SPEC), SPEC)
    issued = [(e.start, e.what.split()[0]) for e in events if e.unit == "sequencer"]
    assert issued == [
        (0, "REFI"), (1, "REFI"), (2, "ROUTE"), (3, "SRAM"), (4, "REFI"), (5, "REFI"), (6, "SWB"), (7, "SWB"), (8, "SWB"),
        (9, "REFI"), (10, "ROUTE"), (11, "SRAM"), (12, "WAIT"), (16, "DPU"), (17, "WAIT"), (34, "HALT"),
    ]  # fmt: skip
    others = {(e.unit, e.start, e.end) for e in events if e.unit != "sequencer"}
    assert others == {
        ("dimarch", 9, 10), ("dimarch", 17, 18), ("row port", 9, 10), ("row port", 17, 18),  # 6 cycles after issue
        ("read port 0", 18, 34), ("read port 1", 18, 34), ("dpu", 18, 34), ("write port", 19, 35),
    }  # fmt: skip
    assert cycles(events) == 35


@settings(max_examples=60)
@given(elements=st.integers(1, 32), latency=st.integers(1, 40), hops=st.integers(0, 5))
def test_the_rules_hold_for_other_lengths_and_latencies(elements: int, latency: int, hops: int) -> None:
    spec = load_arch("silago", [f"dimarch.read_latency_cycles={latency}", f"dimarch.extra_hops={hops}"]).spec
    assert isinstance(spec, SilagoSpec)
    events = run(vector_add(elements, spec), spec)
    by_unit: dict[str, list[Event]] = {}
    for event in events:
        by_unit.setdefault(event.unit, []).append(event)
    rows = -(-elements // 16)
    wait = latency + 2 * hops
    # Rows of the second operand come when they are there and the port is done with the first's.
    second_there = max(11 + wait, max(3 + wait, 5) + rows) + rows
    assert by_unit["dpu"][0].start == max(second_there, 14)
    assert by_unit["write port"][0].end == cycles(events) == by_unit["dpu"][0].start + 1 + elements


def test_both_engines_time_it_alike() -> None:
    assert MACHINE.prefetch_queue is None
    assert run(vector_add(16, SPEC), SPEC, reference.run_tasks) == run(vector_add(16, SPEC), SPEC)


def test_wrong_delays_and_sizes_are_refused() -> None:
    for elements in (0, 33):
        with pytest.raises(InputError, match="two operands of 1 to 32 fit"):
            vector_add(elements, SPEC)
    wrong = [
        Instruction(i.name, i.cycles, i.unit, i.delay + (i.name == "REFI read 1"), i.count)
        for i in vector_add(16, SPEC)
    ]
    with pytest.raises(InputError, match=r"read port 1 reads from cycle \[19\], the dpu from \[18\]"):
        run(wrong, SPEC)
    early = [
        Instruction(i.name, i.cycles, i.unit, i.delay - (i.name == "REFI row"), i.count) for i in vector_add(16, SPEC)
    ]
    with pytest.raises(InputError, match="rows arrive at"):
        run(early, SPEC)
    with pytest.raises(InputError, match="65 instructions: silago's sequencer holds 64"):
        run([Instruction("SWB")] * 65, SPEC)
    assert len(run([Instruction("SWB")] * 64, SPEC)) == 64


def test_the_command_prints_events_or_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cell.main(["16"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) >= len(vector_add(16, SPEC))
    assert printed.err == ""
    for argument in ("many", "1000000"):
        assert cell.main([argument]) == 2
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert told.err.startswith("silago.cell: ")
