"""Which constants of a graph are nothing but the weights of sites."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from quant.graphs.graph import Graph, Node, inner_graphs
from quant.graphs.site_names import SiteNames

WEIGHT_INPUTS = {
    "Linear": (1,), "Conv": (1,), "ConvTranspose": (1,), "MatMul": (0, 1), "Einsum": (0, 1), "LSTM": (1, 2),
    "GRU": (1, 2), "RNN": (1, 2),
}  # fmt: skip
"""The inputs of each operator that may be the weights of sites."""


def weight_constants(graph: Graph, names: SiteNames) -> dict[int, list[str]]:
    """The sites whose weights lie in the memory at an address, of the memory that sites cover whole and that nothing
    but their products reads."""
    covered: dict[int, list[torch.Tensor]] = {}
    sites: dict[int, list[str]] = {}
    for site in names.weights:
        place = names.place(site)
        covered.setdefault(place.storage, []).append(place.numbers)
        sites.setdefault(place.storage, []).append(site)
    read_otherwise, elements = set(), {}
    for tensor, is_weight in _read(graph, names):
        address = tensor.untyped_storage().data_ptr()
        elements[address] = tensor.untyped_storage().nbytes() // tensor.element_size()
        if not is_weight or tensor.dtype != torch.float32:
            read_otherwise.add(address)
    return {
        address: found
        for address, found in sites.items()
        if address not in read_otherwise
        and address in elements
        and len(torch.cat(covered[address]).unique()) == elements[address]
    }


def _read(graph: Graph, names: SiteNames) -> Iterator[tuple[torch.Tensor, bool]]:
    """Constants that are read, and whether each is where a node's weights are."""
    for name in graph.outputs:
        if name in graph.constants:
            yield graph.constants[name], False
    for node in graph.nodes:
        for number, name in enumerate(node.inputs):
            if name in graph.constants:
                tensor = graph.constants[name]
                yield tensor, _is_weight(node, number, tensor, names)
        for inner in inner_graphs(node):
            yield from _read(inner, names)
            yield from _read_from_outside(inner, graph, names)


def _read_from_outside(inner: Graph, outer: Graph, names: SiteNames) -> Iterator[tuple[torch.Tensor, bool]]:
    """An outer graph's constants that one inside it reads, and whether each is where a node's weights are."""
    own = {*inner.constants, *(entry.name for entry in inner.inputs)}
    seen = replace(outer, constants={name: value for name, value in outer.constants.items() if name not in own})
    yield from ((seen.constants[name], False) for name in inner.outputs if name in seen.constants)
    for node in inner.nodes:
        for number, name in enumerate(node.inputs):
            if name in seen.constants:
                yield seen.constants[name], _is_weight(node, number, seen.constants[name], names)
        for further in inner_graphs(node):
            yield from _read_from_outside(further, seen, names)


def _is_weight(node: Node, number: int, constant: torch.Tensor, names: SiteNames) -> bool:
    """Whether what a node reads there is a site's weights: those of its product, or rows that it looks up in them."""
    return number in WEIGHT_INPUTS.get(node.op, ()) or (number == 0 and names.of_table(node, constant) is not None)
