"""Segments run one after the other, with what they start ahead, equal the linked program in the reference engine."""

import numpy as np
import pytest

from simulators.engine import reference
from simulators.engine.attribution import charge
from simulators.engine.fast import PrefetchState, SegmentTiming, run_segment, run_tasks
from simulators.engine.machine import Machine, Queue
from simulators.engine.program import unroll
from simulators.inputs.errors import LoweringError
from simulators.lowering import builder as segment_builder
from simulators.lowering import dependencies, templates
from simulators.lowering.bounded import bounded
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, LayerWork, Segment, Step
from simulators.run.lookahead import lookahead, program_with_lookahead
from simulators.run.lowered import link
from simulators.testing import check_program

LOADS, PREFETCH, COMPUTE, STORES = range(4)
MACHINE = Machine(
    ("dram", "array"),
    (False, True),
    (Queue("loads", 0), Queue("prefetch", 0), Queue("compute", 1), Queue("stores", 0)),
    ("compute", "weights", "inputs", "outputs"),
    prefetch_queue=PREFETCH,
)


def random_segment(rng: np.random.Generator, longest: int = 9, periods: int = 7) -> Segment:
    """Loads, prefetched weights, computation and stores in a random pattern, with buffers of one to three halves."""

    def service() -> int:
        return int(rng.integers(1, longest + 1))

    depth = int(rng.integers(1, 4))
    builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)], ["weights"])
    if rng.random() < 0.4:  # parameters of the whole layer, which nothing holds up
        builder.emit(int(rng.integers(1, 3)), [(1, [Step(("vectors",), PREFETCH, service(), 1)])])
    for _ in range(int(rng.integers(1, 3))):
        tiles = int(rng.integers(1, 4))
        own_weights = bool(rng.random() < 0.8)

        def period(tiles: int = tiles, own_weights: bool = own_weights, depth: int = depth) -> list:
            weights = Step(("weights",), PREFETCH, service(), 1, (("weights free", depth),), ((0, "read", 3),))
            inputs = Step(("inputs",), LOADS, service(), 2, (EVERYTHING_BEFORE, ("inputs free", depth)))
            compute = Step(
                ("compute", "inputs free", "weights free"), COMPUTE, service(), 0, (("weights", 1), ("inputs", 1))
            )
            store = Step(("store",), STORES, service(), 3, (("compute", 1),))
            head = [weights] if own_weights else []
            return [(1, [*head, inputs, compute]), (tiles - 1, [inputs, compute]), (1, [store])]

        steady = period()
        closing = None
        if rng.random() < 0.5:  # a last period of the same form with other services
            closing = [
                (count, [Step(s.roles, s.queue, service(), s.kind, s.after, s.moved) for s in steps])
                for count, steps in steady
            ]
        builder.emit(int(rng.integers(1, periods + 1)), steady, closing)
    return builder.segment()


def in_turn(segments: list[Segment]) -> list[SegmentTiming]:
    behind = [()]  # by segment from the last: what may be started of those that follow
    for segment in segments[:0:-1]:
        behind.append(lookahead(segment, behind[-1]))
    prefetch, timings = PrefetchState(), []
    for segment, tasks in zip(segments, behind[::-1], strict=True):
        program = program_with_lookahead(segment, MACHINE.prefetch_queue, tasks)
        timings.append(run_segment(MACHINE, program, len(segment.program.repeat), prefetch))
        prefetch = timings[-1].prefetch
    return timings


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_segments_in_turn_equal_the_linked_program(part: int) -> None:
    ran_ahead = 0
    for seed in range(100):
        rng = np.random.default_rng([part, seed])
        longest = int(rng.choice([1, 3, 9, 40]))
        segments = [random_segment(rng, longest) for _ in range(int(rng.integers(1, 5)))]
        linked = link(segments)
        check_program(linked, MACHINE)
        timing = reference.run(MACHINE, linked)
        timings = in_turn(segments)
        assert [list(p.charged) for p in timings] == timing.charged.tolist(), (part, seed)
        assert sum(p.cycles for p in timings) == timing.cycles
        ran_ahead += sum(p.prefetch.started for p in timings)
    assert ran_ahead > 50  # else the test shows nothing


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_repeating_segments_are_fast_forwarded_without_a_difference(part: int) -> None:
    for seed in range(40):
        rng = np.random.default_rng([7, part, seed])
        segments = [random_segment(rng, int(rng.choice([2, 9, 300])), 80) for _ in range(int(rng.integers(1, 4)))]
        linked = link(segments)
        start, end = run_tasks(MACHINE, linked)
        charged = charge(unroll(linked), start.tolist(), end.tolist(), MACHINE)
        assert [list(p.charged) for p in in_turn(segments)] == charged.tolist(), (part, seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_periods_in_turn_are_periods_one_after_the_other(part: int) -> None:
    """However few follow each other that are alike: the tasks, what each depends on, and what they move."""
    together = 0
    for seed in range(60):
        rng = np.random.default_rng([3, part, seed])
        runs = random_runs(rng, int(rng.integers(1, 9)))
        segments = []
        for in_turn_at_once in (True, False):
            builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)], ["weights"])
            builder.emit(1, [(1, [Step(("weights",), PREFETCH, 3, 1)])])
            if in_turn_at_once:
                builder.emit_in_turn(runs)
            else:
                for count, steps in runs:
                    builder.emit(count, [(1, steps)])
            builder.emit(2, [(1, [Step(("store",), STORES, 2, 3, (("compute", 2),))])])
            segments.append(builder.segment())
        ours, theirs = segments
        assert ours.works == theirs.works
        assert unroll(ours.program) == unroll(theirs.program)
        behind = random_segment(rng)
        charged = [[list(p.charged) for p in in_turn([behind, segment, behind])] for segment in segments]
        assert charged[0] == charged[1], (part, seed)
        together += len(ours.program.repeat) < len(theirs.program.repeat)
    assert together > 10  # else the test shows nothing


def random_runs(rng: np.random.Generator, longest: int) -> list[tuple[int, list[Step]]]:
    """Runs of up to so many periods that are alike, some of them met again, of one to three tiles."""
    kinds = []
    for _ in range(int(rng.integers(1, 6))):
        needs: tuple = (EVERYTHING_BEFORE, ("weights", 1), ("result", 1))
        tiles = [
            Step(("compute", "weights free"), COMPUTE, int(rng.integers(1, 9)), 0, needs, ((0, "read", int(bits)),), 0)
            for bits in rng.integers(0, 9, int(rng.integers(1, 4)))
        ]
        kinds.append([*tiles, Step(("result",), STORES, int(rng.integers(1, 9)), 3, (("compute", 1),))])
    picked = rng.integers(0, len(kinds), int(rng.integers(1, 30)))
    return [(int(rng.integers(1, longest + 1)), kinds[kind]) for kind in picked]


def test_what_is_kept_is_bounded_by_its_size() -> None:
    made: list[int] = []

    @bounded(len, most=10)
    def bytes_of(number: int) -> bytes:
        made.append(number)
        return bytes(number)

    assert [len(bytes_of(number)) for number in (4, 4, 5, 4, 3)] == [4, 4, 5, 4, 3]
    assert made == [4, 5, 3]  # 12 in all: more than are kept
    assert [len(bytes_of(number)) for number in (3, 6, 6, 4, 3)] == [3, 6, 6, 4, 3]
    assert made == [4, 5, 3, 6, 4, 3]


def test_traffic_counts_every_period() -> None:
    builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)])
    step = Step(("x",), COMPUTE, 1, 0, (EVERYTHING_BEFORE,), ((0, "read", 5),))
    builder.emit(10, [(3, [step])], [(3, [Step(("x",), COMPUTE, 2, 0, (EVERYTHING_BEFORE,), ((0, "read", 1),))])])
    assert builder.segment().works[0].bits == {"read": 9 * 3 * 5 + 3}


def test_a_lowering_that_lets_computation_run_ahead_is_a_defect() -> None:
    builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)])
    builder.emit(1, [(1, [Step(("x",), COMPUTE, 1, 0)])])
    with pytest.raises(LoweringError, match="compute: its first task waits for no barrier"):
        builder.segment()


@pytest.mark.parametrize("role", ["buffer fre", "nothing of the kind"])
def test_a_role_that_nothing_has_is_a_defect_and_no_unlimited_buffer(role: str) -> None:
    def segment(waits_for: str, *earlier: str) -> Segment:
        builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)], earlier)
        load = Step(("loaded",), LOADS, 1, 2, (EVERYTHING_BEFORE, (waits_for, 2)))
        builder.emit(4, [(1, [load, Step(("x", "buffer free"), COMPUTE, 9, 0, (("loaded", 1),))])])
        return builder.segment()

    hint = "did you mean 'buffer free'" if role == "buffer fre" else "the roles are buffer free, loaded, x"
    with pytest.raises(LoweringError, match=rf"waits for '{role}', which no step is; {hint}"):
        segment(role)
    segment("buffer free")
    segment(role, role)  # of earlier segments, said to be so


STEP = Step(("x",), COMPUTE, 1, 0, (EVERYTHING_BEFORE,), ((0, "read", 5),), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cycles": 0}, r"step \('x',\): 0 cycles: a task takes at least one"),
        ({"cycles": 2.5}, "'float' object cannot be interpreted as an integer"),
        ({"queue": 4}, "queue 4: there are 4, from 0"),
        ({"kind": -1}, "kind -1: there are 4, from 0"),
        ({"moved": ((0, "read", -5),)}, "-5 bits of read"),
        ({"moved": ((0, "read", 5.0),)}, "'float' object cannot be interpreted as an integer"),
        ({"moved": ((1, "read", 5),)}, "layer 1: the segment has 1, from 0"),
        ({"works_on": -1}, "layer -1: the segment has 1, from 0"),
        ({"after": (EVERYTHING_BEFORE, ("x", 0))}, r"it waits for \('x', 0\): the last before it is 1"),
        ({"after": (EVERYTHING_BEFORE, ("x", -2))}, r"it waits for \('x', -2\): the last before it is 1"),
    ],
)
def test_a_step_that_cannot_be_is_a_defect(changes: dict, message: str) -> None:
    def segment() -> Segment:
        builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)])
        builder.emit(3, [(1, [STEP._replace(**changes)])])
        return builder.segment()

    with pytest.raises(LoweringError, match=message):
        segment()


def test_two_layers_with_one_kind_of_work_are_a_defect() -> None:
    with pytest.raises(LoweringError, match="two layers of a segment have one kind of work"):
        SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0), LayerWork(1, 1.0, 0)])


def test_a_last_period_of_another_form_is_a_defect() -> None:
    builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)])
    one = Step(("x",), COMPUTE, 1, 0, (EVERYTHING_BEFORE,))
    with pytest.raises(LoweringError, match="last period"):
        builder.emit(3, [(1, [one])], [(2, [one])])


@pytest.mark.parametrize("part", range(2))
def test_long_runs_as_blocks_of_their_own_change_nothing(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def segments(seed: int) -> list[Segment]:
        rng = np.random.default_rng([3, part, seed])
        return [random_segment(rng, int(rng.choice([2, 9, 300])), 6) for _ in range(int(rng.integers(1, 4)))]

    for seed in range(40):
        whole = segments(seed)
        monkeypatch.setattr(segment_builder, "_blocks_of_their_own", lambda periods, runs: True)
        apart = segments(seed)
        monkeypatch.undo()
        check_program(link(apart), MACHINE)
        assert [s.works for s in apart] == [s.works for s in whole], (part, seed)
        assert in_turn(apart) == in_turn(whole), (part, seed)


@pytest.mark.parametrize(
    ("emitted", "message"),
    [
        ((-2,), "-2 periods: there are at least 0"),
        ((0, "last"), "0 periods: there are at least 1"),
        ((), "a segment without a task"),
        ((0,), "a segment without a task"),
    ],
)
def test_periods_are_counted(emitted: tuple, message: str) -> None:
    def segment() -> Segment:
        builder = SegmentBuilder(MACHINE, [LayerWork(1, 1.0, 0)])
        if emitted:
            builder.emit(emitted[0], [(1, [STEP])], [(1, [STEP])] if len(emitted) > 1 else None)
        return builder.segment()

    with pytest.raises(LoweringError, match=message):
        segment()


@pytest.mark.parametrize(("kind", "peak", "message"), [(4, 1.0, "the machine has 4 kinds"), (0, 0.0, "peak_per_cycle")])
def test_works_that_cannot_be_are_a_defect(kind: int, peak: float, message: str) -> None:
    with pytest.raises(LoweringError, match=message):
        SegmentBuilder(MACHINE, [LayerWork(1, peak, kind)])


def test_periods_that_others_had_before_depend_on_the_same_as_those_that_are_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Segments of one seed have the same periods, as often as another number says."""
    seen = [random_segment(np.random.default_rng(seed), periods=periods) for seed in range(8) for periods in (4, 7)]
    dependencies.period_of.cache_clear()
    templates.template_of.cache_clear()
    shared = [random_segment(np.random.default_rng(seed), periods=periods) for seed in range(8) for periods in (4, 7)]
    monkeypatch.setattr(templates, "period_of", dependencies.period_of.__wrapped__)
    monkeypatch.setattr(segment_builder, "template_of", templates.template_of.__wrapped__)
    for number, (seed, periods) in enumerate((seed, periods) for seed in range(8) for periods in (4, 7)):
        alone = random_segment(np.random.default_rng(seed), periods=periods)
        for ours in (seen[number], shared[number]):
            for column, own in zip(ours.program, alone.program, strict=True):
                assert np.array_equal(column, own)
            assert ours.template.prefetch_waits == alone.template.prefetch_waits
            assert ours.template.last_steps == alone.template.last_steps
