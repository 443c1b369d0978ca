"""The operations of a trace: its kinds of layers. Each says itself what it is as a matrix product, which operands it
reads, what it leaves, and how many operations it has (`layer.py`); nobody else needs to know its kind."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulators.workloads.layer import VECTOR_BITS, Gemm, Layer, Operand
from simulators.workloads.layer_fields import ELEMENTWISE_OPS, ElementwiseOp, known_operations
from simulators.workloads.products import ActivationMatmul, Conv2d, Matmul, index_width
from simulators.workloads.vector_layers import Elementwise, Pool2d, VectorLayer

AnyLayer = Annotated[Matmul | Conv2d | ActivationMatmul | Elementwise | Pool2d, Field(discriminator="op")]
"""A layer as a file holds it."""

__all__ = [
    "ELEMENTWISE_OPS", "VECTOR_BITS", "ActivationMatmul", "AnyLayer", "Conv2d", "Elementwise", "ElementwiseOp", "Gemm",
    "Layer", "Matmul", "Operand", "Pool2d", "VectorLayer", "index_width", "known_operations",
]  # fmt: skip
