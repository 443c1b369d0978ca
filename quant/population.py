"""Many candidates at once: what candidates share from the first site on is computed once.

The candidates of a population form a tree: those that agree in the bits of the first sites share a branch, and a branch
is computed once. Results of first parts are kept beyond the population as well, in a bounded cache, for the next
generation has much in common with this one.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from threading import Lock

import torch

from quant.batches import Batch
from quant.candidate import Bits
from quant.models.arithmetic import Arithmetic
from quant.models.networks import Network

CACHE_BYTES = 1 << 28


class PrefixCache:
    """A bounded store of results, the seconds that each saves per byte deciding what stays; an entry loses weight as
    others are used and it is not (GreedyDual-Size, Cao and Irani 1997). Several threads may use it."""

    def __init__(self, capacity_bytes: int = CACHE_BYTES):
        self.capacity_bytes = capacity_bytes
        self.bytes = 0
        self._entries: dict[Hashable, tuple[torch.Tensor, float]] = {}
        self._worth: dict[Hashable, float] = {}
        self._clock = 0.0
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["PrefixCache"], tuple[int]]:
        """Another process begins with an empty one."""
        return PrefixCache, (self.capacity_bytes,)

    def clear(self) -> None:
        """Forget everything."""
        self.__init__(self.capacity_bytes)  # type: ignore[misc]

    def get(self, key: Hashable) -> tuple[torch.Tensor, float] | None:
        """The result and the seconds that it took from the start, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._worth[key] = self._clock + entry[1] / entry[0].nbytes
            return entry

    def put(self, key: Hashable, value: torch.Tensor, seconds: float) -> None:
        with self._lock:
            if key in self._entries or value.nbytes > self.capacity_bytes:
                return
            worth = self._clock + seconds / value.nbytes
            while self.bytes + value.nbytes > self.capacity_bytes:
                least = min(self._worth, key=self._worth.__getitem__)
                if self._worth[least] > worth:
                    return
                self._clock = self._worth.pop(least)
                self.bytes -= self._entries.pop(least)[0].nbytes
            self._entries[key], self._worth[key] = (value, seconds), worth
            self.bytes += value.nbytes


def logits_of(
    network: Network,
    batch: Batch,
    batch_key: Hashable,
    candidates: Sequence[Bits],
    arithmetic: Callable[[Bits], Arithmetic],
    cache: PrefixCache,
) -> list[torch.Tensor]:
    """The network's results (T, B, outputs) for each candidate, in their order. `batch_key` tells the batch apart from
    others in the cache."""
    results: list[torch.Tensor] = [torch.empty(0)] * len(candidates)
    stages = [network.stages(batch.lengths, arithmetic(bits)) for bits in candidates]

    def descend(depth: int, members: list[int], so_far: "_Deferred", key: tuple[Hashable, ...]) -> None:
        if depth == len(stages[0]):
            for i in members:
                results[i] = so_far()[0]
            return
        branches: dict[tuple, list[int]] = {}
        for i in members:
            branches.setdefault(tuple(candidates[i][site] for site in stages[i][depth].sites), []).append(i)
        for pairs, branch in branches.items():
            stage = stages[branch[0]][depth]
            following = _Deferred(so_far, stage.compute, (*key, pairs), cache if stage.kept else None)
            descend(depth + 1, branch, following, (*key, pairs))

    descend(0, list(range(len(candidates))), _Deferred.of(batch.features), (batch_key,))
    return results


class _Deferred:
    """The result of a first part, computed when it is first asked for, unless the cache has it."""

    def __init__(
        self,
        before: "_Deferred | None",
        stage: Callable[[torch.Tensor], torch.Tensor],
        key: tuple[Hashable, ...],
        cache: PrefixCache | None,
    ):
        self._before, self._stage, self._key, self._cache = before, stage, key, cache
        self._value: tuple[torch.Tensor, float] | None = None

    @classmethod
    def of(cls, value: torch.Tensor) -> "_Deferred":
        deferred = cls(None, lambda x: x, (), None)
        deferred._value = (value, 0.0)
        return deferred

    def __call__(self) -> tuple[torch.Tensor, float]:
        """The result, and the seconds that it takes from the start."""
        if self._value is None:
            self._value = self._cache.get(self._key) if self._cache else None
        if self._value is None:
            assert self._before is not None
            x, seconds = self._before()
            started = time.perf_counter()
            y = self._stage(x)
            self._value = (y, seconds + time.perf_counter() - started)
            if self._cache:
                self._cache.put(self._key, *self._value)
        return self._value
