"""Graphs computed in float, as ONNX Runtime computes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quant.graphs.call import Pass
from quant.graphs.graph import Graph
from quant.graphs.graph_trace import GraphTrace
from quant.graphs.onnx_files import read_onnx
from quant.graphs.operations.table import OPERATIONS
from quant.graphs.running import run_graph
from quant.graphs.simplifying import simplified
from quant.graphs.site_names import SiteNames
from quant.own.roundings import Exactly


def graph_of(path: Path | str) -> Graph:
    """The graph of a file, as models have it."""
    return simplified(read_onnx(Path(path)))


def in_float(graph: Graph, given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], GraphTrace]:
    """The outputs of a graph by their names, and what it computed."""
    trace = GraphTrace()
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in given.items()}
    with torch.no_grad():
        outputs = run_graph(graph, tensors, Pass(Exactly(), SiteNames(), OPERATIONS, trace))
    return {name: value.numpy() for name, value in outputs.items()}, trace
