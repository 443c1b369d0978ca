"""What tells graphs apart."""

import hashlib
from typing import Any

import torch

from quant.graphs.graph import Graph


def digest_of(graph: Graph) -> str:
    """sha256 of a graph: its nodes, their attributes, its constants."""
    made = hashlib.sha256()
    _feed(made, graph)
    return made.hexdigest()


def _feed(made: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        made.update(f"{value.dtype} {tuple(value.shape)}".encode())
        made.update(value.contiguous().numpy().tobytes())
    elif isinstance(value, Graph):
        made.update(repr((value.inputs, value.outputs, value.opset, dict(value.stored_bits))).encode())
        for name in sorted(value.constants):
            made.update(name.encode())
            _feed(made, value.constants[name])
        for node in value.nodes:
            made.update(repr((node.name, node.op, node.inputs, node.outputs)).encode())
            for name in sorted(node.attributes):
                made.update(name.encode())
                _feed(made, node.attributes[name])
    else:
        made.update(repr(value).encode())
