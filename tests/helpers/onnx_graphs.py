"""Small ONNX files for tests, and what ONNX Runtime computes of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

KINDS = {
    "f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL, "u": TensorProto.UINT8, "int8": TensorProto.INT8,
}  # fmt: skip


def model_of(
    nodes: Sequence[onnx.NodeProto],
    given: Mapping[str, Any],
    constants: Mapping[str, Any],
    outputs: Sequence[str] = ("y",),
    opset: int = 18,
) -> onnx.ModelProto:
    """A model whose inputs have the sizes of what they are given, the first two left open."""
    arrays = {name: np.asarray(value) for name, value in given.items()}
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info(name, KINDS.get(x.dtype.name) or KINDS[x.dtype.kind], [*["batch", "time"][: x.ndim], *x.shape[2:]])
         for name, x in arrays.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def saved(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    """The file of a model."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def by_onnxruntime(path: Path | str, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The outputs of a file by ONNX Runtime, by their names."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(given)), strict=True))
