"""`python -m fuzz --seconds 600 --seed 1 [--only 939]`: exit code 1 if anything was found."""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # a process with threads is not forked

from fuzz.campaign import Campaign
from fuzz.cases import simulated
from fuzz.model_cases import made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--inputs", type=int, default=10**9, help="at most so many damaged files")
    parser.add_argument("--only", type=int, action="append", help="the input of this number alone, as a fault names it")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--case", action="append", default=[], help="only these readers")
    parser.add_argument("--keep", type=Path, help="a folder for what the inputs that fail printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        cases = [*simulated(folder / "simulated"), *made(folder / "made")]
        chosen = [case for case in cases if not options.case or case.name in options.case]
        campaign = Campaign(chosen, folder, options.seed, options.keep)
        campaign.go(options.seconds, options.only or range(options.inputs))
        os.chdir("/")
    print(campaign.summary())
    sys.exit(1 if campaign.faults else 0)


if __name__ == "__main__":
    main()
