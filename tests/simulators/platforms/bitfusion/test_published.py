"""The published Bit Fusion model against every row of its reference tables, and what it refuses."""

import csv
from pathlib import Path

import pytest
from paths import REFERENCE

from simulators import InputError
from simulators.platforms.bitfusion.published import PublishedHardware, PublishedLayer, evaluate
from simulators.platforms.bitfusion.validate import compare_table, main

TABLES = sorted(REFERENCE.glob("bitfusion_*.csv"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_every_row_of_the_reference_tables_agrees(table: Path) -> None:
    comparisons = compare_table(table)
    assert len(comparisons) == len(table.read_text().splitlines()) - 1
    assert [c for c in comparisons if c.differences] == []


def test_published_totals() -> None:
    """Cycles of AlexNet at batch 16, from the totals of the paper's configuration."""
    table = next(path for path in TABLES if path.stem.endswith("batch16"))
    rows = [row for row in csv.DictReader(table.open()) if row["layer"] == "TOTAL" and row["network"] == "AlexNet"]
    assert [row["cycles"] for row in rows] == ["37666491"]


def test_the_command_counts_rows_and_tells_disagreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(TABLES[0])]) == 0
    assert "rows agree" in capsys.readouterr().out
    lines = TABLES[0].read_text().splitlines()
    header, first = lines[0].split(","), lines[1].split(",")
    first[header.index("cycles")] = "1"
    changed = tmp_path / "changed.csv"
    changed.write_text("\n".join([lines[0], ",".join(first), lines[2]]) + "\n")
    assert main([str(changed)]) == 1
    out = capsys.readouterr().out
    assert "changed.csv:2: " in out
    assert "instead of 1" in out
    assert "1 of 2 rows agree" in out
    changed.write_text("a,b\n1,2\n")
    assert main([str(changed)]) == 2
    assert main([str(tmp_path / "nothing.csv")]) == 2


def layer(activation_bits: int = 8, weight_bits: int = 8) -> PublishedLayer:
    return PublishedLayer(1, 1, 1, 64, 64, 1, activation_bits, weight_bits)


def test_what_the_model_has_no_answer_for() -> None:
    with pytest.raises(InputError, match=r"16x8 bits: .* wider than 8 bits"):
        evaluate(layer(8, 16), PublishedHardware())
    with pytest.raises(InputError, match="no tile"):
        evaluate(
            PublishedLayer(200, 200, 1, 1, 32, 1, 8, 8), PublishedHardware()
        )  # a kernel too large for a weight tile
    with pytest.raises(InputError, match="not in the CACTI table"):
        evaluate(layer(), PublishedHardware(input_bytes=32000))


def test_fewer_bits_save_cycles_only_where_they_fill_the_lanes() -> None:
    """Weights are padded to rows x fused products: 64 inputs fill a quarter of the 256 lanes at 2 bits, and are stored fourfold."""
    short = [evaluate(layer(b, b), PublishedHardware()).cycles for b in (2, 4, 8)]
    assert short[0] > short[1] < short[2]
    long = [evaluate(PublishedLayer(1, 1, 1, 1024, 64, 1, b, b), PublishedHardware()).cycles for b in (2, 4, 8)]
    assert long == sorted(long)


def test_more_bandwidth_saves_cycles() -> None:
    slow, fast = (evaluate(layer(), PublishedHardware(dram_bits_per_cycle=w)).cycles for w in (64, 512))
    assert fast < slow
