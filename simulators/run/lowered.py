"""A whole network as tasks: its segments one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulators.engine.machine import Machine
from simulators.engine.program import Program
from simulators.lowering.segments import KEPT, LayerWork, Segment


@dataclass(frozen=True)
class Lowered:
    """A trace on a machine."""

    machine: Machine
    segments: tuple[Segment, ...]
    energies_pj: tuple[tuple[dict[str, float], ...], ...]
    """Energy in pJ by segment, layer of it and component, without what depends on time."""
    leakage_mw: float
    frequency_mhz: float
    bits_per_cycle: Mapping[str, float]
    """Bandwidth in bits a cycle by level of memory, or by way of one."""

    @cached_property
    def program(self) -> Program:
        """All tasks, as the reference engine runs them."""
        return link(self.segments)

    @property
    def works(self) -> tuple[LayerWork, ...]:
        """What each layer of the trace does."""
        return tuple(work for segment in self.segments for work in segment.works)


def link(segments: Sequence[Segment]) -> Program:
    """All segments as one program, for the reference engine and for whoever looks at every task."""
    history: dict[str, list[tuple[int, int]]] = {}
    blocks_before = 0
    counts: list[int] = []
    targets: list[int] = []
    offsets: list[int] = []
    for segment in segments:
        p, template = segment.program, segment.template
        first = p.first_dependency.tolist()
        inner = np.where(p.dependency_block >= 0, p.dependency_block + blocks_before, p.dependency_block).tolist()
        outer = p.dependency_offset.tolist()
        for task in range(len(p.queue)):
            waits = template.prefetch_waits.get(task, ())
            places = [history[role][back - 1] for role, back in waits if back <= len(history.get(role, ()))]
            targets += [block for block, _ in places] + inner[first[task] : first[task + 1]]
            offsets += [offset for _, offset in places] + outer[first[task] : first[task + 1]]
            counts.append(len(places) + first[task + 1] - first[task])
        for role, steps in template.last_steps.items():
            moved = [(block + blocks_before, offset) for block, offset in steps]
            history[role] = [*moved, *history.get(role, [])][:KEPT]
        blocks_before += len(p.repeat)
    programs = [segment.program for segment in segments]
    lengths = np.concatenate([p.lengths for p in programs])
    return Program.of(
        np.concatenate([p.repeat for p in programs]), np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([np.full(len(p.repeat), s, np.int64) for s, p in enumerate(programs)]),
        (np.concatenate([p.queue for p in programs]), np.concatenate([p.service for p in programs]),
         np.concatenate([p.kind for p in programs])),
        (np.cumsum([0, *counts]), np.array(targets, np.int64), np.array(offsets, np.int64)),
    )  # fmt: skip
