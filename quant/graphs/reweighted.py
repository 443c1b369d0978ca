"""A graph with other weights in the places of its sites."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from quant.graphs.graph import Graph
from quant.graphs.site_names import SiteNames


def reweighted(graph: Graph, names: SiteNames, weights: Mapping[str, torch.Tensor]) -> Graph:
    """The graph with a matrix (M, K) for each site of `names`; constants that lay in one place do so again."""
    memories: dict[int, torch.Tensor] = {}
    for site, weight in weights.items():
        place = names.place(site)
        if place.storage not in memories:
            memories[place.storage] = place.memory.clone()
        memories[place.storage][place.numbers] = weight.flatten()
    return _with(graph, memories)


def _with(graph: Graph, memories: Mapping[int, torch.Tensor]) -> Graph:
    def moved(value: Any) -> Any:
        if isinstance(value, Graph):
            return _with(value, memories)
        memory = memories.get(value.untyped_storage().data_ptr()) if isinstance(value, torch.Tensor) else None
        if memory is None:
            return value
        return memory.as_strided(value.shape, value.stride(), value.storage_offset())

    nodes = (
        replace(node, attributes={name: moved(value) for name, value in node.attributes.items()})
        for node in graph.nodes
    )
    constants = {name: moved(value) for name, value in graph.constants.items()}
    # What has other weights is on no grid of the file any more.
    stored = {
        name: bits for name, bits in graph.stored_bits.items() if constants.get(name) is graph.constants.get(name)
    }
    return replace(graph, nodes=tuple(nodes), constants=constants, stored_bits=stored)
