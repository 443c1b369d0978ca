"""What a platform of one's own is written with: see docs/add-a-platform.md.

A platform is a spec (what its YAML may say), a machine (servers, queues, kinds of tasks) and a lowering (how a layer
becomes tasks). Register it from a plugin file (`mohaq … --plugin FILE.py`), or as an entry point of the group
`mohaq.platforms`; `simulators.testing.check_platform` is a test of it.
"""

from simulators.engine.machine import COMPUTE, Machine, Queue
from simulators.hardware.spec import Cycles, Dram, Figure, Kib, Pair, PlatformSpec, ServiceCycles, SpecPart, Units
from simulators.hardware.sram import Sram, buffer
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError, LoweringError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.platform import (
    Choices,
    MappingRow,
    PlacedLayer,
    Platform,
    RoundsWidths,
    loops_shown,
    register_platform,
)
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Moved, Repetition, Segment, Step
from simulators.run.published import HasPublishedModel
from simulators.run.report import LayerReport, PartialReport, Report
from simulators.workloads.operations import (
    VECTOR_BITS,
    ActivationMatmul,
    Conv2d,
    Elementwise,
    Gemm,
    Layer,
    Matmul,
    Operand,
    Pool2d,
    VectorLayer,
)

__all__ = [
    "COMPUTE",
    "EVERYTHING_BEFORE",
    "VECTOR_BITS",
    "ActivationMatmul",
    "Choices",
    "Code",
    "Conv2d",
    "Cycles",
    "Dram",
    "Elementwise",
    "Figure",
    "Gemm",
    "HasPublishedModel",
    "InputError",
    "Kib",
    "Label",
    "Layer",
    "LayerReport",
    "LayerWork",
    "LoweringError",
    "Machine",
    "MappingRow",
    "Matmul",
    "Moved",
    "Operand",
    "Pair",
    "PartialReport",
    "PlacedLayer",
    "Platform",
    "PlatformSpec",
    "Pool2d",
    "Queue",
    "Repetition",
    "Report",
    "RoundsWidths",
    "Segment",
    "SegmentBuilder",
    "ServiceCycles",
    "SpecPart",
    "Sram",
    "Step",
    "Units",
    "VectorLayer",
    "buffer",
    "loops_shown",
    "register_platform",
]
