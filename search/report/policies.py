"""Whether hardware decides the policy: the best candidate of each search, costed on the hardware of all others.

HAQ (Wang et al., CVPR 2019, table 1) shows so that the best policy for one hardware is none for another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.report.data import BestPolicy, ReportedRun
from simulators import Arch, Trace, simulate
from simulators.inputs.errors import InputError
from simulators.views.roofline import layer_roofline
from simulators.workloads.operations import Conv2d, Layer, Matmul

KINDS = ("depthwise", "pointwise", "convolution", "recurrent", "product")
"""Kinds of layers with weights."""


@dataclass(frozen=True)
class KindBits:
    """Mean widths of the layers of one kind, each layer counted once."""

    layers: int
    """Number of layers of this kind."""
    weight_bits: float
    """Mean width of their weights in bits."""
    activation_bits: float
    """Mean width of their activations in bits."""


@dataclass(frozen=True)
class PolicyLayer:
    """What a policy made of one layer with weights."""

    name: str
    kind: str
    """One of `KINDS`."""
    weight_bits: int
    """Width of its weights in bits."""
    activation_bits: int
    """Width of its activations in bits."""
    intensity: float | None
    """Multiply-accumulates a byte over the memory channel that is busiest with it, on the hardware that the policy is
    for; None where nothing moves."""


@dataclass(frozen=True)
class CostedPolicy:
    """The best policy of a run on all hardware."""

    run: int
    """Position of the run whose policy it is."""
    policy: BestPolicy
    latency_ms: tuple[float | None, ...]
    """On each hardware, in ms; None where that cannot run it."""
    energy_uj: tuple[float | None, ...]
    """On each hardware, in µJ; None where that cannot run it."""
    kinds: Mapping[str, KindBits]
    """What became of the layers of each kind, of `KINDS`."""
    layers: tuple[PolicyLayer, ...]
    """What became of each layer with weights, in their order; none where its own hardware cannot run it."""


@dataclass(frozen=True)
class PolicyMatrix:
    """Best policies of one network for several pieces of hardware, by hardware."""

    runs: tuple[int, ...]
    """Positions of the runs whose hardware the columns are: the first run on each."""
    policies: tuple[CostedPolicy, ...]
    """A row a run, in the order of runs."""


def policy_matrices(runs: Sequence[ReportedRun]) -> tuple[PolicyMatrix, ...]:
    """A matrix for each network that was searched on several pieces of hardware, for the same number of frames."""
    groups: dict[tuple[str, int], list[int]] = {}
    for i, run in enumerate(runs):
        if run.best is not None:
            groups.setdefault((run.best.model, run.experiment.steps), []).append(i)
    found = (_matrix(runs, numbers) for numbers in groups.values())
    return tuple(matrix for matrix in found if len(matrix.runs) > 1)


def _matrix(runs: Sequence[ReportedRun], numbers: Sequence[int]) -> PolicyMatrix:
    by_hardware: dict[str, int] = {}
    for i in numbers:
        by_hardware.setdefault(_arch(runs[i]).digest, i)
    columns = tuple(by_hardware.values())
    if len(columns) < 2:
        return PolicyMatrix(columns, ())
    policies = []
    for i in numbers:
        best = runs[i].best
        assert best is not None
        costs = [_cost(best.trace, _arch(runs[column])) for column in columns]
        latencies, energies = zip(*costs, strict=True)
        policies.append(
            CostedPolicy(i, best, latencies, energies, kinds_of(best.trace), layers_of(best.trace, _arch(runs[i])))
        )
    return PolicyMatrix(columns, tuple(policies))


def _arch(run: ReportedRun) -> Arch:
    return run.hardware.variants[0].arch


def _cost(trace: Trace, arch: Arch) -> tuple[float, float] | tuple[None, None]:
    """Latency in ms and energy in µJ; None for hardware that cannot run it."""
    try:
        report = simulate(trace, arch)
    except InputError:
        return None, None
    return report.latency_ms, report.energy_uj


def layers_of(trace: Trace, arch: Arch) -> tuple[PolicyLayer, ...]:
    """The layers of a trace that have weights, with their place on the roofline of some hardware: HAQ (Wang et al.
    2019) explains by it why hardware gives depthwise layers, which do little with a byte, other widths than pointwise
    ones."""
    try:
        report = simulate(trace, arch)
    except InputError:
        return ()
    points = {layer.name: layer_roofline(layer, report) for layer in report.layers}
    return tuple(
        PolicyLayer(
            layer.name, _kind(layer), *layer.operand_bits,
            points[layer.name].intensity if points[layer.name].bytes_moved else None,
        )
        for layer in trace.layers
        if isinstance(layer, Conv2d | Matmul)
    )  # fmt: skip


def kinds_of(trace: Trace) -> dict[str, KindBits]:
    """Mean widths of a trace's layers with weights, by kind."""
    widths: dict[str, list[tuple[int, int]]] = {}
    for layer in trace.layers:
        if isinstance(layer, Conv2d | Matmul):
            widths.setdefault(_kind(layer), []).append(layer.operand_bits)
    return {
        kind: KindBits(len(of), sum(w for w, _ in of) / len(of), sum(a for _, a in of) / len(of))
        for kind in KINDS
        if (of := widths.get(kind))
    }


def _kind(layer: Layer) -> str:
    if isinstance(layer, Conv2d):
        if layer.groups == layer.in_channels > 1:
            return "depthwise"
        return "pointwise" if layer.kernel == (1, 1) else "convolution"
    return "recurrent" if layer.waits_for_itself else "product"
