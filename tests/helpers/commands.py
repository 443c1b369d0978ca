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
    """What `mohaq ARGUMENTS` exits with and prints, in the folder `cwd`. One with a plugin has a process of its own, for
    what a plugin registers stays."""
    if "--plugin" in arguments:
        return subprocess.run(
            [sys.executable, "-m", "mohaq", *arguments], cwd=cwd, capture_output=True, text=True, check=False
        )
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
