"""Candidates whose costs follow from what they send, which is known where they are evaluated alone."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from quant.sites.candidate import Bits
from simulators.hardware.arch import Arch


@dataclass(frozen=True)
class SendingGroup(Sequence[Bits]):
    """Candidates that are evaluated together, and simulated there on some hardware."""

    candidates: tuple[Bits, ...]
    packed_archs: bytes
    """The hardware, pickled: a scheduler elsewhere has no plugin's platform to read it with."""

    @classmethod
    def of(cls, candidates: Sequence[Bits], archs: Sequence[Arch]) -> "SendingGroup":
        """Candidates, all of them on each of these pieces of hardware."""
        return cls(tuple(candidates), pickle.dumps(tuple(archs)))

    @property
    def archs(self) -> tuple[Arch, ...]:
        """The hardware."""
        archs: tuple[Arch, ...] = pickle.loads(self.packed_archs)
        return archs

    def __len__(self) -> int:
        return len(self.candidates)

    @overload
    def __getitem__(self, place: int) -> Bits: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Bits, ...]: ...

    def __getitem__(self, place: int | slice) -> Bits | tuple[Bits, ...]:
        return self.candidates[place]
