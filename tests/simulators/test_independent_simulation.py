"""The simulators give the cycles and the bits of a second simulation, written from docs/machine-model.md alone (see
`tests/helpers/independent`). `python -m independent` holds any number of networks against it."""

import pytest
from independent.agreement import differences
from independent.event_simulation import Buffer, EventSimulation
from independent.random_networks import point


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["bitfusion", "silago"])
@pytest.mark.parametrize("seed", range(30))
def test_random_networks(platform: str, seed: int) -> None:
    trace, arch = point(platform, seed)
    assert not differences(trace, arch), f"{trace.to_yaml()}{arch.to_yaml()}"


def test_an_idle_server_takes_the_ready_queue_of_highest_priority_and_is_not_interrupted() -> None:
    simulation = EventSimulation({"urgent": "dram", "other": "dram", "work": "array"})
    simulation.begin_segment()
    first = simulation.add("other", 5)
    simulation.add("other", 3)
    work = simulation.add("work", 2)
    simulation.add("urgent", 4, [work])  # ready at 2; the first is in flight until 5; then before the other: 9, 12
    simulation.begin_segment()
    simulation.add("work", 1, [first])  # waits for all of the first segment: 13
    assert simulation.run() == 13


def test_what_fills_a_buffer_of_two_parts_waits_for_the_use_before_the_last() -> None:
    simulation, buffer = EventSimulation({"load": "dram", "use": "array"}), Buffer(2)
    simulation.begin_segment()
    for _ in range(3):
        loaded = simulation.add("load", 2, buffer.free())
        buffer.used(simulation.add("use", 10, [loaded]))
    # Loads end at 2, 4 and, behind the first use, which ends at 12, at 14; uses follow each other.
    assert simulation.run() == 32
