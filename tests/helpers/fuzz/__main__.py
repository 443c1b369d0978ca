"""`python -m fuzz --seconds 600 --seed 1 [--case trace …]`: exit code 1 if anything was found."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from fuzz.campaign import Campaign
from fuzz.cases import all_cases


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--inputs", type=int, default=10**9, help="at most so many damaged files")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--case", action="append", default=[], help="only these readers")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that fail")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        campaign = Campaign(all_cases(Path(folder), options.case), Path(folder), options.seed, options.keep)
        campaign.go(options.seconds, options.inputs)
    print(campaign.summary())
    sys.exit(1 if campaign.faults else 0)


if __name__ == "__main__":
    main()
