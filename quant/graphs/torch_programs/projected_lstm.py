"""LSTM of torch with a projection of its states (`proj_size`; Sak et al. 2014), which ONNX's has not: a scan of its
steps.

    i, f, g, o = W x + U h + b        c' = σ(f) c + σ(i) tanh(g)        h' = P (σ(o) tanh(c'))
"""

from collections.abc import Sequence
from typing import Any

import torch

from quant.graphs.graph import Graph, GraphInput, Node
from quant.graphs.torch_programs.building import OPSET, GraphBuilder


def projected(build: GraphBuilder, x: str, directions: Sequence[Sequence[Any]], states: Sequence[str]) -> list[str]:
    """A layer of it: x (T, B, K), of each direction W (4 C, K), U (4 C, H), two biases or none, and P (H, C), first h
    (D, B, H) and c (D, B, C). Gives the outputs of all directions side by side (T, B, D · H), the last h and the last
    c."""
    path, outputs = build.path, []
    lasts: tuple[list[str], list[str]] = ([], [])
    front = build.constant(torch.tensor([0]))
    for number, (w, u, *biases, p) in enumerate(directions):
        behind = ".reverse" if number else ""
        build.path = f"{path}.W{behind}"
        both = [build.tensor(bias, "a bias") for bias in biases]
        sums = build.emit("Linear", x, build.constant(build.tensor(w, "a weight")), *([sum(both)] if both else []))
        build.path = f"{path}{behind}"
        place = build.constant(torch.tensor(number))
        first = [build.emit("Gather", state, place, axis=0) for state in states]
        body = _step(build.path, path, behind, build.tensor(u, "a weight"), build.tensor(p, "a weight"))
        h, c, made = build.emit(
            "Scan", *first, sums, results=3, body=body, num_scan_inputs=1, scan_input_directions=(number,),
            scan_output_directions=(number,),
        )  # fmt: skip
        outputs.append(made)
        for last, state in zip(lasts, (h, c), strict=True):
            last.append(build.emit("Unsqueeze", state, front))
    build.path = path
    joined = [build.emit("Concat", *last, axis=0) for last in lasts]
    return [build.emit("Concat", *outputs, axis=2), *joined]


def _step(name: str, path: str, behind: str, u: torch.Tensor, p: torch.Tensor) -> Graph:
    """A step: h (B, H), c (B, C) and the sums of its input (B, 4 C) to the next h and c, and h as what is stacked. Its
    values are called as none outside may be."""

    def node(op: str, inputs: str, outputs: str, of: str = "", **attributes: Any) -> Node:
        read, made = (tuple(f"{name}.{each}" for each in names.split()) for names in (inputs, outputs))
        return Node(of or made[0], op, read, made, attributes)

    nodes = (
        node("Linear", "h u", "hu", of=f"{path}.U{behind}"),
        node("Add", "x hu", "gates"),
        node("Split", "gates", "i f g o", axis=-1, num_outputs=4),
        *(node("Sigmoid", gate, f"s{gate}") for gate in "ifo"),
        node("Tanh", "g", "tg"),
        node("Mul", "sf c", "kept"),
        node("Mul", "si tg", "new"),
        node("Add", "kept new", "next_c"),
        node("Tanh", "next_c", "tc"),
        node("Mul", "so tc", "cell"),
        node("Linear", "cell p", "next_h", of=f"{path}.P{behind}"),
        node("Identity", "next_h", "stacked"),  # ONNX Runtime mistakes an output that stands twice
    )
    inputs = tuple(GraphInput(f"{name}.{each}", torch.float32, None) for each in "hcx")
    constants = {f"{name}.{each}": value.detach().contiguous().clone() for each, value in (("u", u), ("p", p))}
    outputs = tuple(f"{name}.{each}" for each in ("next_h", "next_c", "stacked"))
    return Graph(f"{name} step", inputs, outputs, nodes, constants, OPSET)
