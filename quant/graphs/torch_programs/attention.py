"""Attention and sums of products by index, as products, softmax and moves."""

from math import sqrt
from typing import Any

import torch

from quant.graphs.torch_programs.building import GraphBuilder
from simulators.inputs.errors import InputError

Arguments = dict[str, Any]

_BOOL = 9
"""ONNX's number of the type."""


def attention(build: GraphBuilder, a: Arguments) -> Any:
    """`scaled_dot_product_attention`: softmax(Q Kᵀ · scale + mask) V of queries (…, L, E), keys (…, S, E) and values
    (…, S, F)."""
    if a.get("enable_gqa"):
        raise InputError(f"{build.path}: attention of grouped queries (enable_gqa) cannot be translated")
    query, key, mask = a["query"], a["key"], a.get("attn_mask")
    dims, width = key.meta["val"].dim(), query.meta["val"].shape[-1]
    scale = a.get("scale")
    order = (*range(dims - 2), dims - 1, dims - 2)
    scaled = build.emit("Mul", query, float(1 / sqrt(int(width)) if scale is None else scale))
    scores = build.emit("MatMul", scaled, build.emit("Transpose", key, perm=order))
    least = torch.tensor(float("-inf"))
    if a.get("is_causal"):
        scores = build.emit("Where", _not_later(build, scores), scores, least)
    if mask is not None:
        is_bool = mask.meta["val"].dtype == torch.bool
        scores = build.emit("Where", mask, scores, least) if is_bool else build.emit("Add", scores, mask)
    return build.emit("MatMul", build.emit("Softmax", scores, axis=-1), a["value"])


def _not_later(build: GraphBuilder, scores: str) -> str:
    """Where a key (of S) is no later than a query (of L): (L, S), whatever the sizes are."""
    ends = [build.sizes([edge]) for edge in (-2, 2**62)]
    sizes = build.emit("Slice", build.emit("Shape", scores), *ends)
    ones = build.emit("ConstantOfShape", sizes, value=torch.tensor([1]))
    kept: str = build.emit("Cast", build.emit("Trilu", ones, upper=0), to=_BOOL)
    return kept


def einsum(build: GraphBuilder, a: Arguments) -> Any:
    """`einsum`, as ONNX has it."""
    return build.emit("Einsum", *a["tensors"], equation=str(a["equation"]).replace(" ", ""))
