"""A trace on an architecture: lower, run, report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulators import bitfusion, engine, reference, silago
from simulators.arch import Arch
from simulators.errors import InputError
from simulators.lowering import Lowered
from simulators.report import Report, make_report
from simulators.trace import Trace

LOWERINGS: dict[str, Callable[[Trace, Any], Lowered]] = {"bitfusion": bitfusion.lower, "silago": silago.lower}
"""Platform → its lowering. A new platform adds itself here and its spec in `arch.py`."""

ENGINES = {"numba": engine.run, "simpy": reference.run}


def simulate(trace: Trace, arch: Arch, engine: str = "numba") -> Report:
    """Simulate one utterance. `engine` is "numba" (fast) or "simpy" (the reference); they agree to the cycle.

    Raises InputError where the architecture cannot run the trace: a precision that it does not have, an operation
    without a figure, a memory that is too small.
    """
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r}: it must be one of {', '.join(ENGINES)}")
    lowered = LOWERINGS[arch.platform](trace, arch.spec)
    timing = ENGINES[engine](lowered.machine, lowered.program, len(lowered.layers))
    return make_report(trace, arch, lowered, timing)
