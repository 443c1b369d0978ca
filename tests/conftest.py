"""Property tests without time limits, and the small recogniser, trained in seconds on real (synthesised) speech, once a
test run."""

import fcntl
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("any time", settings(), deadline=None)  # a busy machine is no counterexample
settings.load_profile("any time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for the small recogniser's training is slow, however short it is itself."""
    for item in items:
        if "small_model" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _untraced(request: pytest.FixtureRequest) -> Iterator[None]:
    """Coverage is that of the tests that are not slow: a tracer makes the others take twice as long. The marker of
    pytest-cov has no effect in the processes of pytest-xdist."""
    if not request.node.get_closest_marker("slow"):
        yield
        return
    tracers = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    yield
    sys.settrace(tracers[0])
    threading.settrace(tracers[1])  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _plugins_as_they_were() -> Iterator[None]:
    """Plugins that a test runs in this process are forgotten again: runs and their digests name all that there are."""
    before = _plugin_modules()
    yield
    for module in _plugin_modules() - before:
        del sys.modules[module]


def _plugin_modules() -> set[str]:
    return {name for name in sys.modules if name.startswith("mohaq_plugins.")}


PICTURES = ("search.runs.search_outputs.draw_front", "search.codesign.sweep_outputs.draw_sweep")


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches and sweeps leave an empty picture, but for tests that look at it: drawing one takes longer than most
    searches of tests."""
    if request.node.get_closest_marker("drawn"):
        return
    for function in PICTURES:
        if function.rpartition(".")[0] in sys.modules:
            monkeypatch.setattr(function, lambda result: b"")


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint made by `mohaq train --small`, by the first of the processes that tests run in."""
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeakng-loader is not installed: the embedded corpus cannot be made")
    from quant.runs.training_run import run_training

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (trained := folder / "model.safetensors").is_file():
            return trained
        return run_training(folder, small=True)
