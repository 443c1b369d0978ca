"""What is no file, or too large, is refused before it is opened or read."""

import os
import socket
from pathlib import Path

import pytest

from simulators import InputError
from simulators.inputs.bounded_files import beside, read_bytes, read_text


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    os.symlink("a", tmp_path / "link")
    assert read_text(tmp_path / "link", 5) == "12345"


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (fifo, "it is a FIFO, and a file is wanted"),
        (Path.mkdir, "it is a folder, and a file is wanted"),
        (lambda path: os.symlink("/dev/zero", path), "it is a device, and a file is wanted"),
        (listening, "it is a socket, and a file is wanted"),
        (lambda path: os.symlink("x", path), "cannot be read: Too many levels"),
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.write_bytes(bytes(101)), "101 bytes or more: it may have at most 100"),
        (lambda path: os.symlink("/proc/self/status", path), "bytes or more: it may have at most 100"),
        (lambda path: os.symlink("/proc/self/mem", path), "cannot be read: Input/output error"),
    ],
)
def test_what_is_none_or_too_large_is_one_line(tmp_path: Path, make, message: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(InputError, match=message) as caught:
        read_bytes(tmp_path / "x", 100)
    assert str(caught.value).startswith(str(tmp_path / "x"))


def test_a_name_that_cannot_be_and_a_text_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="null"):
        read_bytes(tmp_path / "a\0b", 100)
    (tmp_path / "t").write_bytes(b"ab\xff")
    with pytest.raises(InputError, match="t: byte 2: not UTF-8 text"):
        read_text(tmp_path / "t", 100)


@pytest.mark.parametrize("name", ["", ".", "..", "/etc/passwd", "../s.npz", "a/b.npz", "a\\b.npz", "a\0"])
def test_a_file_beside_another_is_in_its_folder(name: str) -> None:
    with pytest.raises(InputError, match=r"expected the name of a file beside t\.yaml"):
        beside(Path("folder/t.yaml"), name)
    assert beside(Path("folder/t.yaml"), "s.npz") == Path("folder/s.npz")
