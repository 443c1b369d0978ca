"""What lies where a file is written: links, devices, FIFOs, permissions, other spellings."""

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators import InputError
from simulators.inputs import locks
from simulators.inputs.files import check_target, check_targets, write_output, write_whole
from simulators.inputs.locks import FolderLock


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/file")
    for content in (b"new", b"again"):
        write_output(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there/file").read_bytes() == content
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["file"]


def test_a_planted_link_in_a_folder_of_ones_own_makes_room(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "state.json").symlink_to("victim")
    write_whole(tmp_path / "state.json", b"own")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "state.json").read_bytes() == b"own"
    assert not (tmp_path / "state.json").is_symlink()


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    fifo, device = tmp_path / "fifo", tmp_path / "null"
    os.mkfifo(fifo)
    device.symlink_to("/dev/null")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    write_output(fifo, b"through")
    reader.join()
    assert read == [b"through"]
    write_output(device, b"nowhere")
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "link"])
@pytest.mark.parametrize("into_file", [False, True])
def test_a_descriptor_is_written_where_it_stands(name: str, into_file: bool, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/fd/1")
    script = """
import sys
from pathlib import Path
from simulators.inputs.files import write_output
print("before")
write_output(Path(sys.argv[1]), b"content\\n")
print("behind")
"""
    command = [sys.executable, "-c", script, name]
    with open(tmp_path / "out", "w+") as out:
        target = out if into_file else subprocess.PIPE
        result = subprocess.run(command, cwd=tmp_path, stdout=target, text=True, check=True)
        text = (tmp_path / "out").read_text() if into_file else result.stdout
    assert text == "before\ncontent\nbehind\n"


@pytest.mark.usefixtures("umask")
def test_new_files_have_what_the_umask_leaves_and_others_keep_theirs(tmp_path: Path) -> None:
    write_output(tmp_path / "new", b"")
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o664)
    write_output(tmp_path / "old", b"")
    FolderLock(tmp_path, wait=False, otherwise="").close()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"new": 0o600, "old": 0o664, ".lock": 0o600}


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    write_output(tmp_path / ("n" * 255), b"content")
    check_target(tmp_path / ("n" * 255))
    for act in (check_target, lambda path: write_output(path, b"")):
        with pytest.raises(InputError, match="cannot be written: File name too long"):
            act(tmp_path / ("n" * 256))


def test_an_error_leaves_the_former_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_output(tmp_path / "file", b"former")
    for call in ("fsync", "replace"):
        with monkeypatch.context() as broken:
            broken.setattr(os, call, full)
            with pytest.raises(InputError, match="file: cannot be written: No space left on device"):
                write_output(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"former"


def test_places_that_cannot_be_written_are_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "lost").symlink_to("no/such")
    (tmp_path / "file").touch()
    for name, rule in (
        ("loop", "Too many levels"), ("lost", "there is no folder"), ("file/", "it is a folder"), ("file/x", "there is no folder"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=rule):
            check_target(f"{tmp_path}/{name}")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write to all folders
    with pytest.raises(InputError, match="cannot be written: no right to write to"):
        check_target(tmp_path / "new")


def test_no_two_write_to_one_place_however_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "x").touch()
    (tmp_path / "hard").hardlink_to("x")
    (tmp_path / "link").symlink_to("new")
    for one, other in (
        ("new", "./new"),
        ("new", "folder/../new"),
        ("x", "hard"),
        ("new", "link"),
        ("-", "/dev/stdout"),
    ):
        with pytest.raises(InputError, match="--json and --csv: both would write to"):
            check_targets({"--json": one, "--csv": other}, {})
    with pytest.raises(InputError, match="--json hard: it would overwrite the trace"):
        check_targets({"--json": "hard"}, {"the trace": "x", "the spec": "bitfusion"})
    check_targets({"--json": "new", "--csv": "x", "--plot": None}, {"the trace": "hidden", "the spec": None})


def test_a_planted_lock_is_neither_followed_nor_emptied(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lock = tmp_path / "run" / locks.LOCK_FILE
    lock.parent.mkdir()
    lock.symlink_to(victim)
    with pytest.raises(InputError, match=r"\.lock: it is no file"):
        FolderLock(lock.parent, wait=False, otherwise="")
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(InputError, match=r"\.lock: it is no file"):
        FolderLock(lock.parent, wait=False, otherwise="")
    lock.unlink()
    lock.hardlink_to(victim)
    FolderLock(lock.parent, wait=False, otherwise="").close()
    assert victim.read_text() == "precious"


def test_one_at_a_time_and_a_word_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FolderLock(tmp_path, wait=False, otherwise=""), pytest.raises(BlockingIOError):
        FolderLock(tmp_path, wait=False, otherwise="")

    def without(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", without)
    with pytest.raises(InputError, match=rf"{tmp_path}: its file system has no locks .*: give another"):
        FolderLock(tmp_path, wait=False, otherwise="give another")
