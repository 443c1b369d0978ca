"""Disks that are full and folders that cannot be written: one line, exit 2, and what was there stays."""

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import mohaq
from paths import ROOT

SIMULATE = ("simulate", "mohaq-sru-4bit", "--arch", "bitfusion", "--steps", "5")
EXPORT = ("export", "--model", "ligru", "--out")
MOUNT = ["unshare", "--map-root-user", "--mount", "sh", "-c"]


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may become larger than 300 bytes: a write finds "File too large" where a full disk says it has no room."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("option", ["--json", "--csv", "--timeline", "--plot"])
def test_a_full_disk_leaves_the_former_file(option: str, tmp_path: Path) -> None:
    target = tmp_path / "file.png"
    target.write_text("former")
    result = mohaq(*SIMULATE, option, str(target))
    assert (result.returncode, result.stderr) == (2, f"mohaq: {target}: cannot be written: File too large\n")
    assert target.read_text() == "former"
    assert [path.name for path in tmp_path.iterdir()] == ["file.png"]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_nothing_of_an_export(tmp_path: Path) -> None:
    for out, file in (("folder", "folder/model.h"), ("own.h", "own.h")):
        result = mohaq(*EXPORT, str(tmp_path / out), "--bits", "2", "--format", "c")
        assert (result.returncode, result.stderr) == (
            2,
            f"mohaq: {tmp_path / file}: cannot be written: File too large\n",
        )
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_small_and_read_only_file_systems(tmp_path: Path) -> None:
    """A tmpfs with room for a former export and half of the new one, and a folder that is mounted without rights."""
    former, disk, left, folder = (tmp_path / name for name in ("former", "disk", "left", "folder"))
    assert mohaq(*EXPORT, str(former), "--bits", "2").returncode == 0
    for path in (disk, left, folder):
        path.mkdir()
    (folder / "file.json").write_text("former")
    sizes = {path.name: path.stat().st_size for path in former.iterdir()}
    room = sum(sizes.values()) + sizes["model.safetensors"] // 2
    mounts = (
        f"mount -t tmpfs -o size={room} tmpfs {disk}; cp {former}/* {disk}",
        f"mount --bind {folder} {folder}; mount -o remount,bind,ro {folder}",
    )
    commands = [
        [*EXPORT, str(disk), "--bits", "8"],
        [*SIMULATE, "--json", str(folder / "file.json")],
        [*SIMULATE, "--csv", str(folder / "new")],
        ["train", "--small", "--out", str(folder / "run")],
        [*EXPORT, str(folder), "--bits", "2"],
        ["trace", "--bits", "8", "--model", "ligru", "--out", str(folder / "t.yaml")],
    ]
    results = in_namespace("; ".join(mounts), commands, f"cp -a {disk}/. {left}")
    for (code, errors), command in zip(results, commands, strict=True):
        assert code == 2, (command, errors)
        assert errors.startswith(f"mohaq: {disk if str(disk) in command else folder}"), errors
        assert errors.count("\n") == 1, errors
    assert "cannot be written: No space left on device" in results[0][1]
    assert {path.name for path in left.iterdir()} == set(sizes)
    assert all((left / name).read_bytes() == (former / name).read_bytes() for name in sizes)
    assert [path.name for path in folder.iterdir()] == ["file.json"]
    assert (folder / "file.json").read_text() == "former"


def in_namespace(mount: str, commands: list[list[str]], behind: str) -> list[tuple[int, str]]:
    """Exit code and standard error of commands, where mounts are there for them alone, and for what is done behind."""
    if shutil.which("unshare") is None or subprocess.run([*MOUNT, f"set -e; {mount}"], capture_output=True).returncode:
        pytest.skip("this user may not mount")
    script = """
import json, sys
from commands import mohaq
for arguments in json.loads(sys.argv[1]):
    result = mohaq(*arguments)
    print(json.dumps([result.returncode, result.stderr]))
"""
    program = shlex.join([sys.executable, "-c", script, json.dumps(commands)])
    result = subprocess.run(
        [*MOUNT, f"set -e; {mount}; {program}; {behind}"], capture_output=True, text=True, check=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/helpers'}"},
    )  # fmt: skip
    return [tuple(json.loads(line)) for line in result.stdout.splitlines()]
