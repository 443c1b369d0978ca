"""QONNX's quantizer, for ONNX's reference evaluator."""

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun


class Quant(OpRun):  # type: ignore[misc]
    """Quant as QONNX defines it, in numpy."""

    op_domain = "qonnx.custom_op.general"

    def _run(
        self, x: Any, scale: Any, zero: Any, bits: Any, signed: int, narrow: int, rounding_mode: str
    ) -> tuple[Any]:
        assert (rounding_mode, signed) == ("ROUND", 1)
        half = 2.0 ** (float(bits) - 1)
        codes = np.clip(np.rint(x / scale + zero), -half + narrow, half - 1)
        return (((codes - zero) * scale).astype(np.float32),)
