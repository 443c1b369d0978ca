"""Tensors of ONNX files: their types, their bytes, and those that lie in a file beside."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simulators.inputs.errors import InputError
from simulators.inputs.files import resolved

MOST_ELEMENTS = 1 << 28
"""Elements that one tensor may have, in a file or while a graph is computed: a gibibyte of float32."""

DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 4: torch.uint16, 5: torch.int16, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64, 12: torch.uint32, 13: torch.uint64, 16: torch.bfloat16,
    21: torch.uint8, 22: torch.int8,
}  # fmt: skip
"""Types by ONNX's number (TensorProto.DataType); 4-bit integers (21, 22) are held in bytes."""
FOUR_BITS = (21, 22)
_HALF = (torch.float16, torch.bfloat16)


def computed_dtype(number: int, whose: str) -> torch.dtype:
    """The type that values of an ONNX type are computed in: half precision in float32. Raises InputError for strings,
    complex numbers and others that a network has no products of."""
    if number not in DTYPES:
        raise InputError(f"{whose}: type {number} of ONNX's tensors is none that can be computed")
    return torch.float32 if DTYPES[number] in _HALF else DTYPES[number]


def tensor_of(proto: Any, folder: Path | None, whose: str) -> torch.Tensor:
    """The tensor that a TensorProto holds; `folder` is where its file lies, for data beside it. Raises InputError for
    sizes that do not fit its bytes, and for data outside the folder."""
    from onnx import numpy_helper

    dims = tuple(proto.dims)
    if any(size < 0 for size in dims) or math.prod(dims) > MOST_ELEMENTS:
        raise InputError(f"{whose}: sizes {list(dims)}: expected at most {MOST_ELEMENTS:,} elements")
    dtype = computed_dtype(proto.data_type, whose)
    if proto.data_location == 1:  # EXTERNAL
        _read_external(proto, folder, whose)
    try:
        array = np.array(numpy_helper.to_array(proto))
        if proto.data_type in FOUR_BITS or proto.data_type == 16:
            array = array.astype(
                np.int8 if proto.data_type == 22 else np.uint8 if proto.data_type == 21 else np.float32
            )
        tensor = torch.from_numpy(array)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(f"{whose}: its data do not fit sizes {list(dims)}: {_first_line(error)}") from None
    if tuple(tensor.shape) != dims:
        raise InputError(f"{whose}: its data have sizes {list(tensor.shape)}, not {list(dims)}")
    return tensor.to(dtype)


def _read_external(proto: Any, folder: Path | None, whose: str) -> None:
    """Put the bytes of a tensor whose data lie in another file into the tensor."""
    said = {entry.key: entry.value for entry in proto.external_data}
    location = said.get("location", "")
    if folder is None or not location:
        raise InputError(f"{whose}: its data lie in a file that is not named")
    path = resolved(folder / location)
    if not path.is_relative_to(resolved(folder)):
        raise InputError(f"{whose}: its data lie in {location!r}, outside the model's folder")
    try:
        offset, length = int(said.get("offset", "0")), int(said.get("length", "-1"))
    except ValueError:
        raise InputError(f"{whose}: offset and length in {location} must be whole numbers") from None
    if not path.is_file():
        raise InputError(f"{whose}: its data lie in {location}, which is not there")
    size = path.stat().st_size
    length = size - offset if length < 0 else length
    if offset < 0 or offset + length > size or length > 8 * MOST_ELEMENTS:
        raise InputError(f"{whose}: {length} bytes from {offset} of {location}, which has {size}")
    with path.open("rb") as file:
        file.seek(offset)
        proto.raw_data = file.read(length)
    proto.data_location = 0


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
