"""A mesh's machine: for every core its two issue slots and two DMA channels, for every link of every network one server
and, where a hop takes a second cycle, one for the router's stage before it; the bridge to DRAM, and a barrier for every
row and column of cores."""

from __future__ import annotations

from functools import lru_cache

from simulators.engine.machine import COMPUTE, Machine, Queue
from simulators.platforms.epiphany.mesh import NETWORKS, MeshGrid

FPU, INTEGER, DMA_0, DMA_1, PER_CORE = range(5)
"""Servers of a core, and how many they are. Work of a layer is on the first: both slots are taken meanwhile."""
BRIDGE_READ, BRIDGE_WRITE = range(2)

KINDS = (
    "compute", "elementwise", "unpack", "exchange", "weights", "inputs", "outputs", "mesh", "software",
)  # fmt: skip
ELEMENTWISE, UNPACK, EXCHANGE, WEIGHTS, INPUTS, OUTPUTS, MESH, SOFTWARE = range(1, 9)
assert KINDS[COMPUTE] == "compute"


class MeshQueues:
    """The numbers of a mesh's queues: each server has one, of its own number; the way from DRAM has another behind all
    others, of weights, which come where nothing else is to be read."""

    def __init__(self, grid: MeshGrid):
        self.grid = grid
        self._links = PER_CORE * grid.nodes
        self._stages = self._links + len(NETWORKS) * len(grid.links)
        self._bridge = self._stages + len(NETWORKS) * len(grid.links)
        self._barriers = self._bridge + 2
        self.read_weights = self._barriers + grid.rows + grid.columns
        """Weights on the way from DRAM."""

    def core(self, node: int, unit: int) -> int:
        """A unit of a core: FPU, INTEGER, DMA_0 or DMA_1."""
        return PER_CORE * node + unit

    def link(self, network: int, link: tuple[int, int]) -> int:
        """A link of a network, given by its nodes."""
        return self._links + network * len(self.grid.links) + self.grid.links[link]

    def stage(self, network: int, link: tuple[int, int]) -> int:
        """The router's stage before a link, which a hop from an odd node takes."""
        return self._stages + network * len(self.grid.links) + self.grid.links[link]

    def bridge(self, direction: int) -> int:
        """The way from DRAM or to it."""
        return self._bridge + direction

    def row_barrier(self, row: int) -> int:
        """Where the cores of a row wait for each other."""
        return self._barriers + row

    def column_barrier(self, column: int) -> int:
        """Where the cores of a column wait for each other."""
        return self._barriers + self.grid.rows + column


@lru_cache(maxsize=16)
def queues_of(grid: MeshGrid) -> MeshQueues:
    """The queues of a mesh."""
    return MeshQueues(grid)


@lru_cache(maxsize=16)
def machine_of(grid: MeshGrid) -> Machine:
    """The machine of a mesh. Queues are named by what they do, in the order of their servers."""
    names = [
        f"core {node} {unit}" for node in range(grid.nodes) for unit in ("computes", "moves words", "dma 0", "dma 1")
    ]
    for what in ("link", "router"):
        names += [f"{network} {what} {a} to {b}" for network in NETWORKS for a, b in grid.links]
    names += ["dram read", "dram write"]
    names += [f"row {row} barrier" for row in range(grid.rows)]
    names += [f"column {column} barrier" for column in range(grid.columns)]
    computes = [False] * len(names)
    computes[: PER_CORE * grid.nodes : PER_CORE] = [True] * grid.nodes
    queues = [Queue(name, number) for number, name in enumerate(names)]
    queues.append(Queue("dram read of weights", queues_of(grid).bridge(BRIDGE_READ)))
    return Machine(tuple(names), tuple(computes), tuple(queues), KINDS)
