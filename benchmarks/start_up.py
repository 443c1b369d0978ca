"""A new process: import of `simulators` and a first simulation, with compiled kernels in the cache; time and memory.

    python benchmarks/start_up.py

Ends with one line of JSON.
"""

import json
import subprocess
import sys
import time

FIRST = """
import resource
from simulators import load_arch, load_trace, simulate
simulate(load_trace("mohaq-sru-8bit"), load_arch("bitfusion"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def once() -> tuple[float, float]:
    began = time.perf_counter()
    kib = subprocess.run([sys.executable, "-c", FIRST], check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - began, int(kib) / 1024


def main() -> None:
    once()  # compiles, if nothing did before
    times, memory = zip(*(once() for _ in range(5)), strict=True)
    figures = {"seconds": sorted(times)[2], "peak_mib": max(memory)}
    print(f"import and a first simulate: {figures['seconds']:.2f} s, {figures['peak_mib']:.0f} MiB at most")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
