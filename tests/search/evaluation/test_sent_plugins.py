"""Plugins on their way to a machine that has none of their files, nor `MOHAQ_PLUGINS`."""

import subprocess
import sys
from os import environ
from pathlib import Path

import pytest
from paths import ROOT

from simulators.inputs.plugins import VARIABLE

PLUGIN = '''
from stand_in import StandInModel

class OwnModel(StandInModel):
    """A class that pickles by the plugin's module alone."""
'''
DRIVER = """
import pickle, sys
from pathlib import Path
from search.evaluation.executors.worker import Source
from simulators.inputs import plugins
(plugin,) = plugins.load(["own_model.py"])
sys.stdout.buffer.write(pickle.dumps(Source.of(sys.modules[plugin.module].OwnModel())))
"""
WORKER = """
import pickle, sys
from search.evaluation.executors.worker import recognise
source = pickle.loads(sys.stdin.buffer.read())
candidate = {site: (8, 8) for site in ("L0", "P1", "L1", "FC")}
rates, _ = recognise(source, [candidate])
print(rates[0][0], [plugin.path for plugin in source.plugins])
"""


def python(folder: Path, program: str, given: bytes = b"") -> bytes:
    """What a program prints, in a process and a folder of its own."""
    paths = f"{ROOT}:{ROOT / 'tests' / 'helpers'}"
    variables = {name: value for name, value in environ.items() if name != VARIABLE} | {"PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, cwd=folder, env=variables, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.slow
def test_a_source_brings_the_plugins_that_it_is_read_with(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    (here / "own_model.py").write_text(PLUGIN)
    sent = python(here, DRIVER)
    (here / "own_model.py").unlink()
    error, path = python(there, WORKER, sent).decode().split(maxsplit=1)
    assert 16 < float(error) < 20
    assert path.strip() == str([str(here / "own_model.py")])
