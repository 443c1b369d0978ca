"""How much slower networks are on more hardware: random networks on random hardware, one resource of which is raised.

    python benchmarks/monotonicity.py [--points 4000] [--seed 0] [--platform bitfusion|silago] [--out FOLDER]

Counts increases in cycles beyond none; beyond one task in flight a layer (the longest of each, added up), which is not
preempted; beyond that and a larger array's longer pipeline; and beyond that and the 1 % within which the least energy
is chosen. The worst ones' traces are written to the folder, and printed as commands. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from rising_resources import RESOURCES, RisingPoint, rising_point  # noqa: E402

WORST = 8
"""Points that are printed."""


def command(point: RisingPoint, which: int, folder: Path) -> str:
    """The point on the lesser (0) or the greater hardware (1), as one types it."""
    values = point.lesser if which == 0 else {**point.lesser, point.resource: point.more}
    sets = " ".join(f"--set {key}={value}" for key, value in values.items())
    return f"mohaq simulate {folder / f'{point.platform}-{point.number}.yaml'} --arch {point.platform} {sets}"


def show(point: RisingPoint, folder: Path) -> None:
    """Print a point, and write its trace."""
    folder.mkdir(parents=True, exist_ok=True)
    point.trace.save(folder / f"{point.platform}-{point.number}.yaml")
    slow, fast = point.cycles
    print(
        f"{point.platform} {point.number}: {point.resource} {point.lesser[point.resource]} → {point.more}: {slow:,} → "
        f"{fast:,} cycles ({fast / slow - 1:+.1%}); bound: {point.longest_tasks:,} and {point.longer_pipeline:,}"
    )
    for which in (0, 1):
        print(f"  {command(point, which, folder)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Random networks on hardware, one resource of which is raised.")
    parser.add_argument("--points", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--platform", choices=list(RESOURCES), help="half of each, if not said")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/monotonicity"))
    options = parser.parse_args()
    beyond: dict[str, int] = defaultdict(int)
    by_resource: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    slower: list[tuple[int, float, RisingPoint]] = []
    refusals, began = 0, time.perf_counter()
    for number in range(options.points):
        platform = options.platform or list(RESOURCES)[number % len(RESOURCES)]
        point, refused = rising_point(platform, options.seed, number)
        refusals += refused
        excess = point.excess()
        for bound, cycles in excess.items():
            beyond[bound] += cycles > 0
            by_resource[f"{platform} {point.resource}"][bound] += cycles > 0
        by_resource[f"{platform} {point.resource}"]["points"] += 1
        if point.increase > 0:
            slower.append((excess["and_pipeline"] > 0, point.increase / point.cycles[0], point))
            slower = sorted(slower, key=lambda row: row[:2], reverse=True)
        if number % 500 == 499:
            print(f"{number + 1} points, {time.perf_counter() - began:.0f} s, {dict(beyond)}", flush=True)
    print(f"{refusals} points ran on the lesser hardware and were refused by the greater")
    for resource, counts in sorted(by_resource.items()):
        print(f"{resource}: {counts.pop('points')} points; beyond {dict(counts)}")
    for _, _, point in slower[:WORST]:
        show(point, options.out)
    figures = {
        "points": options.points,
        "slower_beyond": dict(beyond),
        "worst_increase": max((increase for _, increase, _ in slower), default=0.0),
        "worst_increase_beyond_bound": max((increase for out, increase, _ in slower if out), default=0.0),
        "refused_by_the_greater": refusals,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
