"""The conformance kit: what every platform must hold, called by its author in one test.

import my_platform
from simulators import load_arch
from simulators.testing import check_platform

def test_my_platform():
    check_platform(my_platform.PLATFORM, load_arch("my-platform.yaml").spec)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from simulators.engine import fast, reference
from simulators.engine.machine import Machine
from simulators.engine.program import BARRIER, RELATIVE, Program
from simulators.hardware.arch import Arch
from simulators.hardware.spec import PlatformSpec
from simulators.inputs.errors import InputError, LoweringError
from simulators.lowering.platform import Platform, platform_named
from simulators.run.batch import simulate_batch
from simulators.run.simulation import Simulator, lower, simulate
from simulators.run.trace_batch import TraceBatch
from simulators.workloads.operations import ActivationMatmul, Conv2d, Elementwise, Layer, Matmul, Pool2d, VectorLayer
from simulators.workloads.trace import Trace


def check_platform(platform: Platform, spec: PlatformSpec, traces: Sequence[Trace] | None = None) -> None:
    """Hold a registered platform to the contract, with one of its specs: both engines agree on every task; terms add up
    to cycles and to energy; at least the compulsory traffic is counted; a batch and a sweep have the figures of single
    simulations; what cannot be run is an InputError that names the layer or the key.

    `traces` are small networks that the spec can run; by default they are made of the operations that the platform
    takes. Raises AssertionError that says what does not hold.
    """
    arch = Arch(spec, spec.name)
    assert isinstance(spec, platform.spec), f"{spec.name}: {type(spec).__name__} is no {platform.spec.__name__}"
    assert platform_named(arch.platform) is platform, f"{spec.name}: platform {arch.platform} is registered as another"
    try:
        _check(platform, arch, traces)
    except LoweringError as error:
        raise AssertionError(str(error)) from error


def _check(platform: Platform, arch: Arch, traces: Sequence[Trace] | None) -> None:
    own = list(traces) if traces is not None else _networks(platform, arch)
    takes = ", ".join(kind.__name__ for kind in platform.operations)
    assert own, f"{arch.name}: it runs none of the operations that it takes: {takes}"
    for trace in own:
        _check_engines(trace, arch)
        _check_terms(trace, arch)
        for layer in trace.layers:
            _check_traffic(_alone(layer), arch)
    _check_batches(own, arch)
    _check_refusals(platform, arch)
    _check_extremes(own[0], arch)


def check_program(program: Program, machine: Machine) -> None:
    """Raise LoweringError if this is not a program of that machine."""
    lengths = program.lengths
    if (lengths < 1).any() or (program.repeat < 1).any():
        raise LoweringError("every block has a task and a repeat count of at least one")
    if (program.service < 1).any():
        raise LoweringError("service times are at least one cycle")
    if len(program.queue) and not (program.queue.min() >= 0 and program.queue.max() < len(machine.queues)):
        raise LoweringError("unknown queue")
    if len(program.kind) and not (program.kind.min() >= 0 and program.kind.max() < len(machine.kinds)):
        raise LoweringError("unknown kind")
    if (np.diff(program.segment) < 0).any():
        raise LoweringError("segments follow each other")
    begin = np.concatenate([[0], np.cumsum(program.repeat * lengths)])
    for b in range(len(program.repeat)):
        # A block that repeats may be shortened by fast-forwarding, so no relative dependency may reach across one.
        floor = max((int(begin[i]) for i in range(b) if program.repeat[i] > 1), default=0)
        for j in range(program.first_task[b], program.first_task[b + 1]):
            u = int(begin[b]) + j - int(program.first_task[b])
            last = u + int((program.repeat[b] - 1) * lengths[b])
            for d in range(program.first_dependency[j], program.first_dependency[j + 1]):
                block, offset = int(program.dependency_block[d]), int(program.dependency_offset[d])
                if block == RELATIVE:
                    if offset == 0 or u - offset < floor or last - offset >= begin[b + 1]:
                        raise LoweringError(f"block {b}, task {j}: relative dependency {offset} is out of reach")
                    continue
                within = 0 <= block < b and 1 <= offset <= program.repeat[block] * lengths[block]
                if block != BARRIER and not within:
                    raise LoweringError(f"block {b}, task {j}: no task {offset} before the end of block {block}")


def _networks(platform: Platform, arch: Arch) -> list[Trace]:
    """Small networks of each operation that the platform takes, at the narrowest and the widest listed precision."""
    networks = []
    for number, pair in enumerate({min(arch.precisions): None, max(arch.precisions): None}):
        layers = [layer for layer in _layers(*pair) if isinstance(layer, platform.operations)]
        alone = [_named(layer, f"{layer.op}{i}") for i, layer in enumerate(layers)]
        able = [layer for layer in alone if _runs(_alone(layer), arch)]
        if able:
            networks.append(Trace(name=f"network{number}", steps=able[0].steps, layers=tuple(able)))  # type: ignore[arg-type]
    return networks


def _layers(weight_bits: int, activation_bits: int) -> Iterator[Layer]:
    bits: dict[str, Any] = {"weight_bits": weight_bits, "activation_bits": activation_bits, "output_bits": 16}
    yield Matmul(name="x", out_features=40, in_features=24, steps=6, **bits)
    yield Elementwise(name="x", ops={"add": 90, "multiply": 40}, inputs=40, outputs=12, steps=6, vector_parameters=8)
    yield Matmul(name="x", out_features=36, in_features=12, steps=6, recurrent=True, **bits)
    yield Elementwise(name="x", ops={"add": 36}, inputs=48, outputs=20, steps=6, recurrent=True)
    yield Conv2d(name="x", in_channels=4, out_channels=6, kernel=(3, 3), input_size=(9, 8), padding=(1, 1), steps=2,
                 groups=2, dilation=(2, 1), **bits)  # fmt: skip
    yield Pool2d(name="x", kind="max", channels=6, kernel=(2, 2), input_size=(8, 8), stride=(2, 2), steps=2,
                 activation_bits=activation_bits, output_bits=activation_bits)  # fmt: skip
    yield ActivationMatmul(name="x", out_features=9, in_features=8, vectors=9, heads=2, steps=2,
                           activation_bits=activation_bits, second_bits=weight_bits, output_bits=16)  # fmt: skip


def _named(layer: Layer, name: str) -> Layer:
    return layer.but(name=name)


def _alone(layer: Layer) -> Trace:
    return Trace(name=layer.name, steps=layer.steps, layers=(layer,))  # type: ignore[arg-type]


def _runs(trace: Trace, arch: Arch) -> bool:
    return not _message(trace, arch)


def _check_engines(trace: Trace, arch: Arch) -> None:
    """The reference and the fast engine give the same start and end to every task, and the same report."""
    lowered = lower(trace, arch)
    check_program(lowered.program, lowered.machine)
    slow = reference.run_tasks(lowered.machine, lowered.program)
    quick = fast.run_tasks(lowered.machine, lowered.program)
    for what, one, other in zip(("start", "end"), slow, quick, strict=True):
        assert one.tolist() == other.tolist(), f"{trace.name} on {arch.name}: the engines differ in the {what} of tasks"
    reports = [simulate(trace, arch, engine).to_dict() for engine in ("simpy", "numba")]
    assert reports[0] == reports[1], f"{trace.name} on {arch.name}: the engines' reports differ"
    cycles, last = reports[0]["cycles"], slow[1].max()
    assert cycles == last, f"{trace.name} on {arch.name}: layers of {cycles} cycles, and the last task ends in {last}"


def _check_terms(trace: Trace, arch: Arch) -> None:
    """Cycles and energy are sums of named terms, finite and not negative."""
    report = simulate(trace, arch)
    assert [layer.name for layer in report.layers] == [layer.name for layer in trace.layers], "a layer is missing"
    for layer in report.layers:
        where = f"layer {layer.name} on {arch.name}"
        terms = [layer.compute_cycles, *layer.stall_cycles.values()]
        assert min(terms) >= 0, f"{where}: a negative number of cycles"
        assert sum(terms) == layer.cycles, f"{where}: {terms} do not add up to {layer.cycles} cycles"
        for component, energy in layer.energy_uj.items():
            assert 0 <= energy < math.inf, f"{where}: {component}: {energy} µJ"
        most = layer.busy_cycles * layer.peak_per_cycle
        assert layer.busy_cycles > 0, f"{where}: no step says by `works_on` that it is this layer's work"
        assert layer.work <= most * (1 + 1e-9), f"{where}: {layer.work} of work, and its unit can do {most:g} when busy"


def _check_traffic(alone: Trace, arch: Arch) -> None:
    """A layer by itself reads its operands and writes its results, at least once, somewhere."""
    (layer,), (figures,) = alone.layers, simulate(alone, arch).layers
    read = sum(bits for level, bits in figures.bits.items() if level.endswith("_read"))
    written = sum(bits for level, bits in figures.bits.items() if level.endswith("_write"))
    operands = [operand for operand in layer.operands() if operand.name != "vectors"]
    where = f"layer {layer.name} ({layer.op}) on {arch.name}"
    least = sum(operand.bits for operand in operands)
    assert read >= least, f"{where}: {read} bits are read, and its operands have {least}"
    results = layer.outputs_total()
    assert written >= results.bits, f"{where}: {written} bits are written, and its results have {results.bits}"


def _check_batches(traces: Sequence[Trace], arch: Arch) -> None:
    """A batch and a sweep have the figures of single simulations that nothing was kept for, to the last bit."""
    single = [Simulator(arch, alone=True).report(trace) for trace in traces]
    cycles, energies = [report.cycles for report in single], [report.energy_uj for report in single]
    batch = simulate_batch(traces, arch)
    assert batch.cycles.tolist() == cycles, f"{arch.name}: a batch has other cycles than single simulations"
    assert batch.energy_uj.tolist() == energies, f"{arch.name}: a batch has other energies than single simulations"
    of_dram = [report.dram_energy_uj for report in single]
    if platform_named(arch.platform).has_dram_energy(arch.spec):
        assert batch.dram_energy_uj.tolist() == of_dram, f"{arch.name}: a batch has other energies of DRAM"
    else:
        assert np.isnan(batch.dram_energy_uj).all(), f"{arch.name}: a batch has energies of DRAM"
    trace = traces[0]
    pairs = np.array(arch.precisions)
    bits = pairs[np.random.default_rng(1).integers(0, len(pairs), (8, len(trace.products)))]
    candidates = [
        Trace(**{**dict(trace), "layers": tuple(
            layer.at_bits(*(int(of[row, i]) for of in widths)) for i, layer in enumerate(trace.layers)
        )})
        for widths in [trace.widths(bits)] for row in range(len(bits))
    ]  # fmt: skip
    swept = TraceBatch(candidates).on(arch)
    expected: list[tuple[int, float]] = []
    for row, candidate in enumerate(candidates):
        report = None if _message(candidate, arch) else Simulator(arch, alone=True).report(candidate)
        expected.append((0, 0.0) if report is None else (report.cycles, report.energy_uj))
        assert (swept.cycles[row], swept.energy_uj[row]) == expected[-1], f"{arch.name}: a sweep differs at {bits[row]}"


def _check_refusals(platform: Platform, arch: Arch) -> None:
    """An operation that is not taken, and a precision that is not listed, are errors that name the layer."""
    for layer in _layers(*arch.precisions[0]):
        if not isinstance(layer, platform.operations):
            _refused(_named(layer, "refused"), arch, "an operation that it does not take")
    unlisted = next((pair for pair in ((1, 1), (3, 3), (16, 16), (5, 7)) if pair not in arch.precisions), None)
    if unlisted is not None and not platform.runs_unlisted_precisions:
        for layer in _layers(*unlisted):
            if isinstance(layer, platform.operations) and not isinstance(layer, VectorLayer):
                _refused(_named(layer, "refused"), arch, "a precision that it does not list")


def _refused(layer: Layer, arch: Arch, why: str) -> None:
    message = _message(_alone(layer), arch)
    assert message, f"{arch.name}: {why}: layer {layer.op} ran"
    assert layer.name in message, f"{arch.name}: {why}: the error does not name the layer: {message}"


def _message(trace: Trace, arch: Arch) -> str:
    """The message of the InputError that a simulation raises, or nothing."""
    try:
        simulate(trace, arch)
    except InputError as error:
        return str(error)
    return ""


def _check_extremes(trace: Trace, arch: Arch) -> None:
    """The smallest value of each number of the spec, and twice its own, either run, as they do by themselves, or are an
    InputError that names a key or a layer."""
    plain = arch.spec.model_dump()
    keys = {".".join(path) for path, _ in _numbers(plain)}
    for path, value in _numbers(plain):
        for other in (0, 1, 2 * value):
            where = f"{'.'.join(path)} = {other}"
            try:
                changed = Arch(type(arch.spec).model_validate(_with(plain, path, type(value)(other))), arch.source)
            except (ValidationError, InputError):
                continue  # the spec refuses it
            try:
                message = _message(trace, changed)
                alone = None if message else Simulator(changed, alone=True).report(trace)
            except Exception as error:
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
            named = [name for name in (*keys, *(layer.name for layer in trace.layers)) if name in message]
            assert named or not message, f"{where}: the error names neither key nor layer: {message}"
            same = alone is None or simulate(trace, changed) == alone
            assert same, f"{where}: by itself it has other figures: `tasks_key` leaves out what the tasks depend on"


def _numbers(plain: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int | float]]:
    """The keys under which a spec has numbers, with those."""
    for key, value in plain.items() if isinstance(plain, dict) else ():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield (*path, key), value
        yield from _numbers(value, (*path, key))


def _with(plain: dict[str, Any], path: tuple[str, ...], value: int | float) -> dict[str, Any]:
    """The plain data with another value under a key."""
    if len(path) == 1:
        return {**plain, path[0]: value}
    return {**plain, path[0]: _with(plain[path[0]], path[1:], value)}
