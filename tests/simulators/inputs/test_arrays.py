"""Arrays are measured by their headers, and nothing but plain numbers and texts is read."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fuzz.mutations import bomb, npy

from simulators import InputError
from simulators.inputs.arrays import ArrayFile, Expected, read_arrays


def packed(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return content.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_what_numpy_writes_is_read(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yy"]), "c": np.array(3), "d": np.zeros(0, np.int16),
        "e": np.arange(4, dtype=">i4"),
    }  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", allow_pickle=False, **arrays)
        with ArrayFile(tmp_path / "x.npz", 1000) as file:
            assert file.names == list(arrays)
            for name, array in arrays.items():
                np.testing.assert_array_equal(file.read(name), array)


ONES = np.ones(4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not as an .npz file holds it"),
        (npy(ONES), "not as an .npz file holds it"),
        (packed(b=npy(ONES)), "holds no array a"),
        (packed(a=npy(ONES, shape=(5,))), "array a: not as an .npz file holds it: 32 bytes where its header says 40"),
        (packed(a=npy(ONES, shape=(2**40, 2**40))), "where its header says"),
        (packed(a=npy(ONES, shape=(-4,))), "array a: not as an .npz"),
        (packed(a=npy(ONES, descr="|O")), "array a: not as an .npz file holds it: object of shape"),
        (packed(a=npy(ONES, descr="<c16", shape=(2,))), "complex128 of shape"),
        (packed(a=b"\x93NUMPY\x03\x00"), "format 3.0 of arrays"),
        (packed(a=b"pickle"), "array a: not as an .npz file holds it"),
        (packed(a=npy(ONES)).replace(b"a.npy", b"b.npy", 1), "not as an .npz file holds it"),
        (packed(a=npy(np.zeros(200))), "1,600 bytes are more than are read"),
    ],
)
def test_what_is_none_is_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = written(tmp_path / "x.npz", data)
    with pytest.raises(InputError, match=message) as caught, ArrayFile(path, 1000) as file:
        file.read("a")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path / "x.npz", bomb("a.npy", 10**8))
    tracemalloc.start()
    with ArrayFile(path, 10**7) as file:
        assert file.header("a").shape == (10**8,)
        with pytest.raises(InputError, match="100,000,000 bytes are more than are read"):
            file.read("a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7


EXPECTED = {"a": Expected("f", "x"), "b": Expected("i", "x"), "c": Expected("U")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.arange(3)}, r"array a: int64 of shape \(3,\): expected numbers along one axis"),
        ({"b": np.arange(4)}, "array b: 4 values where a has 3"),
        ({"c": np.array(["x"])}, r"array c: <U1 of shape \(1,\): expected a single value"),
        ({"a": np.ones((3, 1))}, r"array a: float64 of shape \(3, 1\)"),
    ],
)
def test_arrays_are_what_is_expected(tmp_path: Path, change: dict[str, np.ndarray], message: str) -> None:
    arrays = {"a": np.ones(3), "b": np.arange(3), "c": np.array("x")}
    np.savez(tmp_path / "x.npz", allow_pickle=False, **arrays)
    assert read_arrays(tmp_path / "x.npz", EXPECTED, 1000).keys() == EXPECTED.keys()
    np.savez(tmp_path / "x.npz", allow_pickle=False, **{**arrays, **change})
    with pytest.raises(InputError, match=message):
        read_arrays(tmp_path / "x.npz", EXPECTED, 1000)
