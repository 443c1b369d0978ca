"""Commands as a user types them, run in this process, which has imported torch and the like already."""

import io
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

import mohaq as command_line


def mohaq(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What `mohaq ARGUMENTS` exits with and prints, in the folder `cwd`."""
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(cwd or Path.cwd()),
        patch.object(sys, "argv", ["mohaq", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        command_line.main()
    code = ended.value.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
