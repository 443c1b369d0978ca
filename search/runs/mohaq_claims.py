"""The claims of MOHAQ (Rezk et al. 2022, sections 5.2 to 5.4) beside what a run of the same experiment found.

Increases of error are counted from the 16-bit candidate, in percentage points. What differs from the paper: the corpus,
and an output layer of 117 states where the paper's has 1904 classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from search.evaluation.quality import BASELINE_BITS
from search.runs.results import Run, Solution

FULL_PRECISION_BITS = 32
INCREASES = (0.5, 1.0, 2.0)
"""Percentage points that count as a minor increase, for a paper that gives no number."""
SPEEDUPS = (20, 30, 40, 45)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper."""

    claim: str
    """What is claimed."""
    published: str
    """What the paper says of it, in words."""
    measured: str
    """What the run found, in words."""
    figures: dict[str, float]
    """What `measured` says, for averages over seeds."""


def claims_of(run: Run) -> list[Claim]:
    """The claims that go with a published experiment; none for other runs."""
    which = run.experiment.published
    base = run.baselines.get(BASELINE_BITS)
    if which is None or base is None or base.quality is None:
        return []
    limit = float("inf") if run.error_limit is None else run.error_limit
    solutions = (*run.visited, *run.baselines.values())
    within = [s for s in solutions if s.quality is not None and s.quality.error <= limit]
    return {"memory": _memory, "silago": _silago, "bitfusion": _bitfusion}[which](run, within, base)


def table_of(claims: Sequence[dict[str, Any]]) -> str:
    """Claims as a table in Markdown."""
    rows = [f"| {c['claim']} | {c['published']} | {c['measured']} |" for c in claims]
    return "\n".join(["| claim | published | here |", "|---|---|---|", *rows]) + "\n"


def _increase(solution: Solution, base: Solution) -> float:
    assert solution.quality is not None
    assert base.quality is not None
    return solution.quality.error - base.quality.error


def _memory(run: Run, within: list[Solution], base: Solution) -> list[Claim]:
    full = base.cost.memory_mib * FULL_PRECISION_BITS / BASELINE_BITS
    figures = {}
    for x in INCREASES:
        compressions = [full / s.cost.memory_mib for s in within if _increase(s, base) <= x]
        figures[f"compression_at_{x}"] = max(compressions, default=0.0)
    eightfold = [_increase(s, base) for s in within if full / s.cost.memory_mib >= 8.0]
    parts = [f"{value:.1f} times at up to {x} points" for value, x in zip(figures.values(), INCREASES, strict=True)]
    if eightfold:
        figures["increase_at_8"] = min(eightfold)
        parts.append(f"8 times at {min(eightfold):+.2f}")
    claim = "compression by post-training quantization, against 32 bits"
    return [Claim(claim, "8 times without significant increase of the error", "; ".join(parts), figures)]


def _silago(run: Run, within: list[Solution], base: Solution) -> list[Claim]:
    narrow = run.baselines[min(run.baselines)]
    ways: list[tuple[str, Callable[[Solution], float], Callable[[Solution], float]]] = [
        ("simulated", lambda s: 1.0 / s.cost.latency_ms, lambda s: 1.0 / s.cost.energy_uj)
    ]
    if base.cost.mohaq_energy_uj is not None:
        ways.insert(0, ("by the closed forms", lambda s: s.cost.mohaq_speedup or 0.0,
                        lambda s: 1.0 / (s.cost.mohaq_energy_uj or 1.0)))  # fmt: skip
    claims = []
    for way, speed, saving in ways:
        parts: list[str] = []
        figures: dict[str, float] = {}
        for x in INCREASES:
            minor = [s for s in within if _increase(s, base) <= x]
            best = max(minor, key=lambda s: speed(s) / speed(narrow) + saving(s) / saving(narrow), default=base)
            shares = speed(best) / speed(narrow), saving(best) / saving(narrow)
            part = f"{shares[0]:.0%} and {shares[1]:.0%} at {_increase(best, base):+.2f} points"
            parts += [part] if part not in parts else []
            figures |= {f"speedup_at_{x}": shares[0], f"saving_at_{x}": shares[1]}
        claim = f"share of the largest speedup and energy saving, those of 4 bits everywhere, {way}"
        claims.append(Claim(claim, "97 % and 86 % with a minor increase of the error", "; ".join(parts), figures))
    return claims


def _bitfusion(run: Run, within: list[Solution], base: Solution) -> list[Claim]:
    lowest = {}
    for least in SPEEDUPS:
        errors = [_increase(s, base) for s in within if (s.cost.mohaq_speedup or 0.0) >= least]
        if errors:
            lowest[f"increase_at_{least}"] = min(errors)
    measured = "; ".join(f"{value:+.2f} at {name.rpartition('_')[2]}" for name, value in lowest.items())
    claims = [Claim("lowest increase of the error, by least speedup (closed form)", "", measured, lowest)]
    helped = [(s, s.quality) for s in within if s.quality is not None and s.quality.error_original is not None]
    if run.experiment.beacons is not None:
        gains = [(q.error_original or 0.0) - q.error for s, q in helped if s in run.front]
        largest = max(gains, default=0.0)
        text = f"{largest:.2f} points on the front, where {len(gains)} of {len(run.front)} solutions have a beacon's"
        claims.append(Claim("largest gain by a beacon's parameters", "up to 4.9 points", text, {"gain": largest}))
    return claims
