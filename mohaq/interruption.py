"""What ends a command from outside: Ctrl-C, `kill`, a terminal that is closed. One line, and a shell's exit code."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, Self

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


class Stopped(KeyboardInterrupt):
    """A signal came. A class of its own, for where a plain KeyboardInterrupt leaves code that was made from text, as
    that of a dataclass is, Python notes it, and kills itself by SIGINT in the end."""


class Interruption:
    """While in use as a context, the signals of WORDS raise Stopped, so that what was begun is put in order
    on the way out: files, locks, processes. Whatever comes of that in the end, the exit code is the first signal's."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if current_thread() is main_thread():  # handlers can be set in no other
            for number in WORDS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
                    self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._number is None and isinstance(error, KeyboardInterrupt):
            self._number = signal.SIGINT
        if self._number is not None:
            with suppress(OSError):  # the terminal may be gone
                word = WORDS[signal.Signals(self._number)]
                print(f"mohaq: {word}; a search, a sweep or a training continues with --resume", file=sys.stderr)
            sys.exit(128 + self._number)

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """What a signal makes of what is done inside is its doing, whatever a library makes of the exception."""
        try:
            yield
        finally:
            if self._number is not None:
                raise Stopped

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._number is None:
            self._number = number
        raise Stopped
