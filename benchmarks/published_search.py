"""The mapping search of Bit Fusion's published model: time a layer, over every layer of its reference tables.

    python benchmarks/published_search.py

The released simulator takes 0.5 to 0.9 s a layer on one core. Ends with one line of JSON.
"""

import csv
import json
from pathlib import Path

from timing import seconds

from simulators.platforms.bitfusion.validate import compare_table

TABLES = sorted((Path(__file__).parents[1] / "tests/reference").glob("bitfusion_*.csv"))
RELEASED_S = (0.5, 0.9)


def main() -> None:
    layers = sum(row["layer"] != "TOTAL" for table in TABLES for row in csv.DictReader(table.open()))
    a_layer = seconds(lambda: [compare_table(table) for table in TABLES], 5) / layers
    low, high = (released / a_layer for released in RELEASED_S)
    print(f"{layers} layers: {a_layer * 1e3:.2f} ms a layer, {low:.0f} to {high:.0f} times as fast as the released one")
    print(json.dumps({"layers": layers, "ms_per_layer": a_layer * 1e3, "ratio_low": low, "ratio_high": high}))


if __name__ == "__main__":
    main()
