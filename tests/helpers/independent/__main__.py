"""Hold random networks on random hardware against the independent simulation, and print those that differ.

    PYTHONPATH=tests/helpers python -m independent [--networks 500] [--seed 0] [--platform bitfusion|silago]

Half of the networks are Bit Fusion's, half SiLago's, without `--platform`. A network has its number as seed.
"""

import argparse
import sys
import time

from independent.agreement import differences
from independent.random_networks import point


def main() -> int:
    parser = argparse.ArgumentParser(description="Random networks against the independent simulation.")
    parser.add_argument("--networks", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="number of the first network")
    parser.add_argument("--platform", choices=["bitfusion", "silago"])
    options = parser.parse_args()
    began, differ = time.perf_counter(), 0
    for number in range(options.seed, options.seed + options.networks):
        platform = options.platform or ("bitfusion", "silago")[number % 2]
        trace, arch = point(platform, number)
        lines = differences(trace, arch)
        if lines:
            differ += 1
            layers = ", ".join(f"{layer.name} {layer.op}" for layer in trace.layers)
            print(f"{platform}, network {number} ({layers}):", *lines, sep="\n  ", flush=True)
    seconds = time.perf_counter() - began
    print(f"{options.networks} networks, {differ} differ, {seconds:.0f} s")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
