"""The bound of how much slower a network may be on more hardware."""

from simulators import Arch, Trace
from simulators.run.simulation import lower


def longest_tasks(trace: Trace, arch: Arch) -> int:
    """Cycles of the longest task of each segment, added up: in every layer one task in flight may hold up what is waited
    for, since none is preempted."""
    return sum(int(segment.program.service.max()) for segment in lower(trace, arch).segments)
