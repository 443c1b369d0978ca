"""What an EdgeDRNN architecture file may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from simulators.hardware.spec import Figure, PlatformSpec, SpecPart
from simulators.inputs.fields import whole
from simulators.platforms.edgedrnn.network import MOST_LANES, MOST_LATENCY, MOST_SIZE, MOST_THRESHOLD, DeltaTiming

WEIGHT_WIDTHS = (2, 4, 8)
ACTIVATION_WIDTH = 16
Threshold = Annotated[int, BeforeValidator(whole), Field(ge=0, le=MOST_THRESHOLD)]


class Encoder(SpecPart):
    """The delta encoder."""

    input_threshold: Threshold
    """Threshold of inputs in 1/256, which decides whether the bias is sent; a trace's masks say what else is."""
    state_threshold: Threshold
    """Threshold of states in 1/256."""
    fifo_entries: Annotated[int, BeforeValidator(whole), Field(ge=1, le=MOST_SIZE)]
    """Entries between encoder and lanes, without the output register."""


class WeightMemory(SpecPart):
    """The DRAM that weights stream from, one for each lane a cycle."""

    latency_cycles: Annotated[int, BeforeValidator(whole), Field(ge=0, le=MOST_LATENCY)]
    """Cycles from a command to its first beat."""
    pj_per_bit: Figure
    """Energy of a bit read, in pJ."""


class EdgeDrnnEnergy(SpecPart):
    """EdgeDRNN's energy."""

    mac_pj: dict[Literal["8", "4", "2"], Figure]
    """Energy of a multiply-accumulate by the weight's width in bits."""
    sram_pj_per_bit: Figure
    """Energy of a bit of inputs, states and outputs read or written on chip, in pJ."""
    pj_per_op: Figure
    """Energy of one elementwise operation of the activation unit."""
    static_mw: Figure
    """Power that does not depend on work."""


class EdgeDrnnSpec(PlatformSpec):
    """An EdgeDRNN accelerator."""

    platform: Literal["edgedrnn"]
    lanes: Annotated[int, BeforeValidator(whole), Field(ge=1, le=MOST_LANES)]
    """Multiply-accumulate lanes; the RTL runs with 8 and 16."""
    encoder: Encoder
    memory: WeightMemory
    energy: EdgeDrnnEnergy

    @model_validator(mode="after")
    def _widths(self) -> EdgeDrnnSpec:
        for weight_bits, activation_bits in self.precisions:
            if weight_bits not in WEIGHT_WIDTHS or activation_bits != ACTIVATION_WIDTH:
                raise ValueError(
                    f"precisions: {[weight_bits, activation_bits]}: weights have 2, 4 or 8 bits, activations 16"
                )
            if str(weight_bits) not in self.energy.mac_pj:
                raise ValueError(f"energy.mac_pj: no figure for weights of {weight_bits} bits")
        return self

    @property
    def timing(self) -> DeltaTiming:
        """What decides cycles."""
        return DeltaTiming(self.lanes, self.memory.latency_cycles, self.encoder.fifo_entries)
