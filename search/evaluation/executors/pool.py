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

from search.evaluation.executors.executor import Died
from search.evaluation.executors.worker import Group, Recognised, Recognition, Source, limit_threads, loaded, recognise
from simulators.inputs.child_processes import shielded
from simulators.inputs.closing import Closing
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
        if workers < 1:
            raise InputError(f"--workers {workers}: it must be at least 1")
        self._number = workers
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

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[tuple[Group, Recognised | Died]]:
        """See `search.evaluation.executors.executor.Executor`."""
        source = recognition.source
        shares = _shares(len(groups), self._number)
        again: deque[int] = deque()
        deaths: Counter[int] = Counter()
        left = len(groups)
        completed = False
        try:
            while left:
                while len(self._workers) < min(self._number, left):
                    self._workers.append(_Worker(self._context))
                for place, worker in enumerate(self._workers):
                    if worker.idle and (again or any(shares)):
                        number = again.popleft() if again else _next(shares, place)
                        if not self._begun(place, source, number, groups[number]):
                            again.appendleft(number)
                for place in self._ready():
                    worker = self._workers[place]
                    working_on = worker.doing
                    try:
                        result = worker.receive()
                    except (EOFError, OSError):
                        self._replace(place)
                        if working_on is None:
                            continue
                        deaths[working_on] += 1
                        if deaths[working_on] < DEATHS:
                            again.append(working_on)
                            continue
                        result = Died(deaths[working_on])
                    else:
                        self._failed_starts = 0
                        if isinstance(result, BaseException):
                            raise result
                    if working_on is not None:
                        left -= 1
                        yield groups[working_on], result
            completed = True  # where a worker may still load the model
        finally:
            if not completed:
                for worker in self._workers:
                    if not worker.idle:
                        worker.kill()
                self._workers = [worker for worker in self._workers if worker.idle]

    def _ready(self) -> list[int]:
        """Places of workers that have something to say, or are dead."""
        ready = wait([worker.connection for worker in self._workers])
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
                f'little memory for {self._number}, or a script without `if __name__ == "__main__":`'
            )
        self._workers[place] = _Worker(self._context)


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


def _next(shares: list[deque[int]], place: int) -> int:
    """The next of a worker's own share; without any, the last of the longest other."""
    if shares[place]:
        return shares[place].popleft()
    return max(shares, key=len).pop()


def _cause(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
