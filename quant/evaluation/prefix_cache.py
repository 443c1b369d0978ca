"""Many candidates at once: what candidates share from the first site on is computed once.

The candidates of a population form a tree: those that agree in the bits of the first sites share a branch, and a branch
is computed once. Results of first parts are kept beyond the population as well, in a bounded cache, for the next
generation has much in common with this one.
"""

import heapq
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Lock
from typing import NamedTuple

import torch

from quant.arithmetic import kernels
from quant.arithmetic.delta import Delta, Masks
from quant.arithmetic.glibc_memory import usable_memory_bytes
from quant.arithmetic.grid import FRACTION_BITS
from quant.arithmetic.integer import QuantizedArithmetic
from quant.networks.network import Network, Stage
from quant.sites.candidate import Bits
from quant.speech.batches import UtteranceBatch

CACHE_SHARE = 0.2
"""Share of this process's memory: a result of all of dev has 28 MB, and a search's front some hundred."""
LEAST_CACHE_BYTES = 1 << 28
"""However little that is: cores that a container may not use count as another process's."""


NOTHING_SENT: Masks = {}


class Result(NamedTuple):
    """What first parts come to."""

    value: torch.Tensor
    seconds: float
    """Seconds that it takes from the start."""
    sent: Masks = NOTHING_SENT
    """What delta networks transmitted, of all sites up to it that have a threshold."""


class PrefixCache:
    """A bounded store of results, the seconds that each saves per byte deciding what stays; an entry loses weight as
    others are used and it is not (GreedyDual-Size, Cao and Irani 1997, but what is worth less than all that is there is
    not taken in). Several threads may use it."""

    def __init__(self, capacity_bytes: int | None = None):
        """The capacity is `CACHE_SHARE` of the memory unless said."""
        self._asked = capacity_bytes
        if capacity_bytes is None:
            capacity_bytes = max(LEAST_CACHE_BYTES, int(CACHE_SHARE * usable_memory_bytes()))
        self.capacity_bytes = capacity_bytes
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.bytes = 0
        self._entries: dict[Hashable, _Entry] = {}
        self._least: list[tuple[float, int, Hashable]] = []
        """A heap of (worth, number, key); an entry's worth is that of the one with its number."""
        self._numbers = count()
        self._clock = 0.0

    def __reduce__(self) -> tuple[type["PrefixCache"], tuple[int | None]]:
        """Another process begins with an empty one, by default of a size of its own."""
        return PrefixCache, (self._asked,)

    def get(self, key: Hashable) -> "Result | None":
        """The result, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._weigh(key, entry)
        return Result(entry.value, entry.seconds, entry.sent)

    def put(self, key: Hashable, value: torch.Tensor, seconds: float, sent: Masks = NOTHING_SENT) -> None:
        """Keep a result, or none, where what it saves is not worth what would have to go."""
        if key in self._entries:
            return
        entry = _Entry(*_packed(value), seconds, sent)
        with self._lock:
            if key in self._entries or not 0 < entry.nbytes <= self.capacity_bytes:
                return
            while self.bytes + entry.nbytes > self.capacity_bytes:
                worth, number, least = heapq.heappop(self._least)
                if self._entries[least].number != number:  # it was used since
                    continue
                if worth > self._clock + entry.worth:
                    heapq.heappush(self._least, (worth, number, least))
                    return
                self._clock = worth
                self.bytes -= self._entries.pop(least).nbytes
            self._entries[key] = entry
            self.bytes += entry.nbytes
            self._weigh(key, entry)

    def _weigh(self, key: Hashable, entry: "_Entry") -> None:
        entry.number = next(self._numbers)
        heapq.heappush(self._least, (self._clock + entry.worth, entry.number, key))
        if len(self._least) > 2 * len(self._entries) + 64:  # mostly of entries that were used since
            self._least = [item for item in self._least if self._entries[item[2]].number == item[1]]
            heapq.heapify(self._least)


@dataclass
class _Entry:
    """A result as 16-bit words times a step, or as it is."""

    held: torch.Tensor
    step: float | None
    seconds: float
    sent: Masks
    number: int = -1

    @property
    def value(self) -> torch.Tensor:
        return self.held if self.step is None else self.held * self.step

    @property
    def nbytes(self) -> int:
        return self.held.nbytes + sum(masks.nbytes for masks in self.sent.values())

    @property
    def worth(self) -> float:
        """Seconds that a byte saves."""
        return self.seconds / self.nbytes


def _packed(x: torch.Tensor) -> tuple[torch.Tensor, float | None]:
    """What is 16-bit fixed point, as results of products and recurrences are, in half of its bytes."""
    if x.dtype is torch.float32:
        words, values = torch.empty(x.shape, dtype=torch.int16), x.reshape(-1).numpy()
        for fraction in FRACTION_BITS:
            if kernels.to_words(values, 2.0**fraction, words.view(-1).numpy()):
                return words, 2.0**-fraction
    return x, None


def logits_of(
    network: Network,
    batch: UtteranceBatch,
    batch_key: Hashable,
    candidates: Sequence[Bits],
    arithmetic: Callable[[Bits], QuantizedArithmetic],
    cache: PrefixCache,
) -> list[Result]:
    """The network's results (T, B, outputs) for each candidate, in their order. `batch_key` tells the batch apart from
    others in the cache."""
    results = [Result(torch.empty(0), 0.0)] * len(candidates)
    arithmetics = [arithmetic(bits) for bits in candidates]
    stages = [network.stages(batch.lengths, of_candidate) for of_candidate in arithmetics]

    def descend(depth: int, members: list[int], so_far: "_Deferred", key: tuple[Hashable, ...]) -> None:
        if depth == len(stages[0]):
            for i in members:
                results[i] = so_far()
            return
        branches: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for i in members:
            branches.setdefault(tuple(candidates[i][site] for site in stages[i][depth].sites), []).append(i)
        for pairs, branch in branches.items():
            stage = stages[branch[0]][depth]
            delta = arithmetics[branch[0]].delta
            following = _Deferred(so_far, stage, delta, (*key, pairs), cache if stage.kept else None)
            descend(depth + 1, branch, following, (*key, pairs))

    descend(0, list(range(len(candidates))), _Deferred.of(batch.features), (batch_key,))
    return results


class _Deferred:
    """The result of a first part, computed when it is first asked for, unless the cache has it."""

    def __init__(
        self,
        before: "_Deferred | None",
        stage: Stage | None,
        delta: Delta | None,
        key: tuple[Hashable, ...],
        cache: PrefixCache | None,
    ):
        self._before, self._stage, self._delta, self._key, self._cache = before, stage, delta, key, cache
        self._value: Result | None = None

    @classmethod
    def of(cls, value: torch.Tensor) -> "_Deferred":
        deferred = cls(None, None, None, (), None)
        deferred._value = Result(value, 0.0)
        return deferred

    def __call__(self) -> Result:
        """The result."""
        if self._value is None:
            self._value = self._cache.get(self._key) if self._cache else None
        if self._value is None:
            assert self._before is not None
            assert self._stage is not None
            before = self._before()
            started = time.perf_counter()
            y = self._stage.compute(before.value)
            seconds, sent = before.seconds + time.perf_counter() - started, before.sent
            if self._delta is not None:
                sent = {
                    **sent,
                    **{site: self._delta.sent[site] for site in self._stage.sites if site in self._delta.sent},
                }
            self._value = Result(y, seconds, sent)
            if self._cache:
                self._cache.put(self._key, *self._value)
        return self._value
