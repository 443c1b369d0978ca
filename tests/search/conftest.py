"""What tests of searches share."""

from pathlib import Path

import pytest

DRAWN = ("campaign", "report", "runs")
"""Folders of tests that look at pictures; elsewhere drawing one takes longer than the search that it is of."""


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if Path(request.path).parent.name not in DRAWN:
        monkeypatch.setattr("search.runs.search_outputs.draw_front", lambda run: b"")
