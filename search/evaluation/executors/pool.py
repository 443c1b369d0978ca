"""Evaluations in processes of this machine, one thread each.

The standard library's pool breaks as a whole when a process of it dies. Here each process has a pipe of its own, so it
is known which candidate a death interrupted: that one is tried once more, and set aside at the second death.
"""

import multiprocessing
import pickle
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from typing import Any

from search.evaluation.executors.executor import Died, Finished
from search.evaluation.executors.worker import Group, Recognition, Source, limit_threads, loaded, recognise
from simulators.inputs.child_processes import shielded
from simulators.inputs.closing import Closing
from simulators.inputs.cores import check_workers
from simulators.inputs.errors import InputError

DEATHS = 2
"""Workers that a candidate may kill before it is set aside."""
FAILED_STARTS = 3
"""Deaths in a row, while a model was loaded, after which the search gives up."""


class Pool(Closing):
    """Processes that are started when first needed; they end with this process, however that ends."""

    together = 1

    def __init__(self, workers: int):
        """Raises InputError if there would be no workers."""
        check_workers(workers)
        self.workers = workers
        """Number of processes."""
        self._workers: list[_Worker] = []
        # Not forked: torch and Numba have threads, which do not survive a fork.
        self._context = multiprocessing.get_context("spawn")
        self._failed_starts = 0

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers:
            worker.kill()
        self._workers = []

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers that there are now."""
        return [worker.pid for worker in self._workers]

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[Finished]:
        """See `search.evaluation.executors.executor.Executor`."""
        work = _Work(recognition.source, groups, _shares(len(groups), self.workers))
        try:
            while work.left:
                yield from self.advanced(work, None)
        finally:
            self.give_up(work)

    def running(self, recognition: Recognition) -> "_Evaluations":
        """See `search.evaluation.executors.executor.TakesMore`."""
        return _Evaluations(self, _Work(recognition.source, [], [deque()]))

    def advanced(self, work: "_Work", timeout_s: float | None) -> list[Finished]:
        """Set idle workers to what waits, wait for the first that has something to say, and no longer than so many
        seconds; what it says, and the like of others."""
        while len(self._workers) < min(self.workers, work.left):
            self._workers.append(_Worker(self._context))
        self._set_to(work)
        results = [result for place in self._ready(timeout_s) for result in self._heard(place, work)]
        self._set_to(work)
        return results

    def _set_to(self, work: "_Work") -> None:
        """Have idle workers begin with groups that wait."""
        for place, worker in enumerate(self._workers):
            number = work.next_for(place) if worker.idle else None
            if number is not None and not self._begun(place, work.source, number, work.groups[number]):
                work.again.appendleft(number)

    def _heard(self, place: int, work: "_Work") -> list[Finished]:
        """What a worker has to say, which may be that it is dead, of a group that is finished."""
        worker = self._workers[place]
        working_on = worker.doing
        try:
            result = worker.receive()
        except (EOFError, OSError):
            self._replace(place)
            if working_on is None:
                return []
            work.deaths[working_on] += 1
            if work.deaths[working_on] < DEATHS:
                work.again.append(working_on)
                return []
            result = Died(work.deaths[working_on])
        else:
            self._failed_starts = 0
            if isinstance(result, BaseException):
                raise result
        if working_on is None:
            return []
        work.left -= 1
        return [(work.groups.pop(working_on), result)]

    def give_up(self, work: "_Work") -> None:
        """End the workers that are busy with what is not finished. With nothing left one may still load the model."""
        if work.left:
            for worker in self._workers:
                if not worker.idle:
                    worker.kill()
            self._workers = [worker for worker in self._workers if worker.idle]

    def _ready(self, timeout_s: float | None) -> list[int]:
        """Places of workers that have something to say, or are dead."""
        ready = wait([worker.connection for worker in self._workers], timeout_s)
        return [place for place, worker in enumerate(self._workers) if worker.connection in ready]

    def _begun(self, place: int, source: Source, number: int, group: Group) -> bool:
        """Whether a worker was set to a group. If not, it loads the model, or was found dead."""
        worker = self._workers[place]
        try:
            if source.key in worker.sources:
                worker.evaluate(number, source.key, group)
                return True
            worker.load(source)
        except OSError:
            self._replace(place)
        return False

    def _replace(self, place: int) -> None:
        """Have another in a dead worker's place."""
        worker = self._workers[place]
        code = worker.kill()
        self._failed_starts = self._failed_starts + 1 if worker.loading else 0
        if self._failed_starts == FAILED_STARTS:
            raise InputError(
                f"{FAILED_STARTS} workers in a row died while they loaded the model, the last by {_cause(code)}: too "
                f'little memory for {self.workers}, or a script without `if __name__ == "__main__":`'
            )
        self._workers[place] = _Worker(self._context)


class _Work:
    """Groups to evaluate with a source's model, by numbers."""

    def __init__(self, source: Source, groups: Sequence[Group], shares: "list[deque[int]]"):
        """`shares` are the numbers that the worker in each place begins with."""
        self.source = source
        self.groups = dict(enumerate(groups))
        """Those that are not finished."""
        self.left = len(groups)
        self.again: deque[int] = deque()
        """Numbers of groups that were begun and were not finished."""
        self.deaths: Counter[int] = Counter()
        self._shares = shares
        self._next_number = len(groups)

    def add(self, group: Group) -> None:
        """Have a group wait behind the others."""
        self.groups[self._next_number] = group
        self._shares[-1].append(self._next_number)
        self._next_number += 1
        self.left += 1

    def next_for(self, place: int) -> int | None:
        """The number of the group that the worker in a place begins next: of its own share, or else the last of the
        longest other; of a single share the first. None where none waits."""
        if self.again:
            return self.again.popleft()
        if len(self._shares) == 1 or (place < len(self._shares) and self._shares[place]):
            share = self._shares[min(place, len(self._shares) - 1)]
            return share.popleft() if share else None
        longest = max(self._shares, key=len)
        return longest.pop() if longest else None


class _Evaluations:
    """See `search.evaluation.executors.executor.Running`."""

    def __init__(self, pool: Pool, work: _Work):
        self._pool, self._work = pool, work

    @property
    def workers(self) -> int:
        return self._pool.workers

    def submit(self, group: Group) -> None:
        self._work.add(group)

    def finished(self, timeout_s: float | None) -> list[Finished]:
        results = self._pool.advanced(self._work, timeout_s)
        while not results and timeout_s is None:
            results = self._pool.advanced(self._work, timeout_s)
        return results

    def close(self) -> None:
        self._pool.give_up(self._work)


class _Worker:
    """A process and the pipe to it. It is idle, loads a model, or evaluates the group of number `doing`."""

    def __init__(self, context: SpawnContext):
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with shielded():
            self._process.start()
        theirs.close()  # so that the pipe ends with the process
        self.sources: set[str] = set()
        self.doing: int | None = None
        self.loading = False

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def idle(self) -> bool:
        return self.doing is None and not self.loading

    def load(self, source: Source) -> None:
        """Raises OSError if the process is dead."""
        try:
            content = pickle.dumps(source)
        except Exception as error:
            raise InputError(f"the model cannot be sent to other processes ({error}): give `run` a factory") from None
        self.loading = True
        self.connection.send(("load", content))
        self.sources.add(source.key)

    def evaluate(self, number: int, key: str, group: Group) -> None:
        """Raises OSError if the process is dead."""
        self.connection.send(("evaluate", key, group))
        self.doing = number

    def receive(self) -> Any:
        """The answer to what was sent. Raises EOFError or OSError if the process is dead."""
        answer = self.connection.recv()
        self.doing, self.loading = None, False
        return answer

    def kill(self) -> int | None:
        """End the process; its exit code."""
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self.connection.close()
        return self._process.exitcode if code is None else code


def _serve(connection: Connection) -> None:
    """What a worker does until the driver is gone."""
    limit_threads(1)
    sources: dict[str, Source] = {}
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        answer: Any = None
        try:
            if message[0] == "load":
                source = pickle.loads(message[1])
                sources[source.key] = source
                loaded(source)
            else:
                answer = recognise(sources[message[1]], message[2])
        except Exception as error:
            answer = _sendable(error)
        try:
            connection.send(answer)
        except OSError:
            return


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__} in a worker: {error}")
    return error


def _shares(groups: int, workers: int) -> list[deque[int]]:
    """Runs of neighbours, one a worker: what neighbours share stays in a process."""
    ends = [round(i * groups / workers) for i in range(workers + 1)]
    return [deque(range(a, b)) for a, b in pairwise(ends)]


def _cause(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
