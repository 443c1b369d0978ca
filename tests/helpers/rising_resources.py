"""Random networks on random hardware, one resource of which is raised, and how much slower that may make them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from independent.random_networks import Draw, between, one_of

from simulators import Arch, Conv2d, Elementwise, InputError, Matmul, Pool2d, Trace, load_arch, simulate
from simulators.lowering.segments import Segment
from simulators.platforms.bitfusion.machine import DRAIN
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.run.simulation import lower
from simulators.workloads.operations import Layer

BIT_FUSION = {
    "array.rows": 32,
    "array.columns": 64,
    "buffers.input_kib": 64,
    "buffers.weight_kib": 512,
    "buffers.output_kib": 64,
    "dram.bits_per_cycle": 1024,
    "post_processing.lanes": 64,
}
"""Resources and the most that the lesser hardware has of them, sizes of buffers in KiB."""

SILAGO = {
    "fabric.rows": 4,
    "fabric.columns": 16,
    "fabric.window_columns": 3,
    "cell.register_file_words": 128,
    "cell.mac_lanes": 4,
    "cell.read_ports": 4,
    "cell.special_function_lanes": 4,
    "dimarch.weight_tiles": 160,
    "dimarch.activation_tiles": 80,
    "dimarch.link_bits_per_cycle": 512,
    "dram.bits_per_cycle": 256,
}

RESOURCES = {"bitfusion": BIT_FUSION, "silago": SILAGO}
LEAST = {"cell.register_file_words": 32, "buffers.weight_kib": 2, "buffers.input_kib": 1, "buffers.output_kib": 1}
"""Below these hardly a network fits."""
CHOICE = 0.01
"""Tilings within so much of the fewest cycles are chosen from by energy."""


@dataclass(frozen=True)
class RisingPoint:
    """A network on lesser hardware and on the same with more of one resource."""

    number: int
    trace: Trace
    platform: str
    """Name of the shipped spec that is changed."""
    lesser: dict[str, int]
    resource: str
    more: int
    """What the greater hardware has of the resource."""

    @cached_property
    def archs(self) -> tuple[Arch, Arch]:
        """The lesser and the greater hardware."""
        lesser, greater = (
            load_arch(self.platform, [f"{key}={value}" for key, value in values.items()])
            for values in (self.lesser, {**self.lesser, self.resource: self.more})
        )
        return lesser, greater

    @cached_property
    def cycles(self) -> tuple[int, int]:
        """Cycles on both."""
        lesser, greater = (simulate(self.trace, arch).cycles for arch in self.archs)
        return lesser, greater

    @property
    def increase(self) -> int:
        """Cycles that the greater hardware takes more."""
        return self.cycles[1] - self.cycles[0]

    @cached_property
    def longest_tasks(self) -> int:
        """See `longest_tasks`, on the greater hardware."""
        return longest_tasks(self.trace, self.archs[1])

    @cached_property
    def longer_pipeline(self) -> int:
        """Cycles that a larger array's pipeline takes longer, over all tiles."""
        lesser, greater = (arch.spec for arch in self.archs)
        if not (isinstance(lesser, BitFusionSpec) and isinstance(greater, BitFusionSpec)):
            return 0
        a, b = lesser.array, greater.array
        longer = b.rows + b.columns - a.rows - a.columns
        return longer * sum(map(_drains, lower(self.trace, self.archs[1]).segments)) if longer else 0

    def excess(self) -> dict[str, int]:
        """Cycles beyond each bound, which are at most 0 where it holds."""
        one_task = self.increase - self.longest_tasks
        pipeline = one_task - self.longer_pipeline
        return {
            "zero": self.increase,
            "one_task_a_layer": one_task,
            "and_pipeline": pipeline,
            "and_choice": pipeline - int(CHOICE * self.cycles[0]),
        }


def longest_tasks(trace: Trace, arch: Arch) -> int:
    """Cycles of the longest task of each segment, added up: none is preempted, so in every layer one task in flight may
    hold up what is waited for."""
    return sum(int(segment.program.service.max()) for segment in lower(trace, arch).segments)


def _drains(segment: Segment) -> int:
    """Tiles that pass the pipeline."""
    p = segment.program
    each = np.add.reduceat((p.queue == DRAIN).astype(np.int64), p.first_task[:-1])
    return int((p.repeat * each).sum())


def rising_point(platform: str, seed: int, number: int) -> tuple[RisingPoint, int]:
    """A point, the first of a sequence that fits, and how many ran on the lesser hardware and were refused by the
    greater."""
    refused = 0
    for attempt in range(1000):
        draw = np.random.default_rng([seed, number, attempt])
        most = RESOURCES[platform]
        lesser = {key: between(draw, LEAST.get(key, 1), value) for key, value in most.items()}
        resource = one_of(draw, tuple(most))
        more = lesser[resource] + max(1, between(draw, 1, 4 * lesser[resource]))
        point = RisingPoint(number, _network(draw, platform), platform, lesser, resource, more)
        try:
            simulate(point.trace, point.archs[0])
        except InputError:
            continue
        try:
            simulate(point.trace, point.archs[1])
        except InputError:
            refused += 1
            continue
        return point, refused
    raise AssertionError(f"{platform}, seed {seed}, point {number}: nothing fits")


def _network(draw: Draw, platform: str) -> Trace:
    """One to five layers: products that follow each other, recurrent ones, convolutions, elementwise work."""
    steps, layers = between(draw, 1, 64), list[Layer]()
    pairs = ((2, 2), (4, 4), (4, 8), (8, 8), (16, 16)) if platform == "bitfusion" else ((4, 4), (8, 8), (16, 16))
    for number in range(int(draw.integers(1, 6))):
        widths = dict(zip(("weight_bits", "activation_bits"), one_of(draw, pairs), strict=True))
        widths["output_bits"] = one_of(draw, (8, 16))
        layers += _layers(draw, f"l{number}", steps, widths)
    return Trace(name="drawn", steps=steps, layers=tuple(layers))  # type: ignore[arg-type]


def _layers(draw: Draw, name: str, steps: int, widths: dict[str, int]) -> list[Layer]:
    kind = draw.random()
    if kind < 0.65:
        outputs, recurrent = between(draw, 1, 1024), bool(draw.random() < 0.25)
        product = Matmul(
            name=name, out_features=outputs, in_features=between(draw, 1, 1024), steps=steps, recurrent=recurrent,
            **widths,
        )  # fmt: skip
        behind = _elementwise(draw, f"{name}b", steps, outputs + int(one_of(draw, (0, 100))))
        return [product, behind] if draw.random() < 0.3 else [product]
    if kind < 0.8:
        return [_elementwise(draw, name, steps, between(draw, 1, 2000))]
    side, kernel = between(draw, 4, 20), int(one_of(draw, (1, 3)))
    window = {"input_size": (side, side), "kernel": (kernel, kernel), "padding": (kernel // 2, kernel // 2)}
    channels = between(draw, 1, 64)
    if kind < 0.95:
        return [Conv2d(name=name, steps=1, in_channels=channels, out_channels=between(draw, 1, 64), **window, **widths)]
    width = widths["activation_bits"]
    return [
        Pool2d(name=name, steps=1, kind="max", channels=channels, activation_bits=width, output_bits=width, **window)
    ]


def _elementwise(draw: Draw, name: str, steps: int, inputs: int) -> Elementwise:
    ops = {"add": between(draw, 1, 2000), "sigmoid": between(draw, 1, 500)}
    words = int(one_of(draw, (0, 300)))
    return Elementwise(
        name=name, ops=ops, inputs=inputs, outputs=between(draw, 1, 800), steps=steps, vector_parameters=words
    )
