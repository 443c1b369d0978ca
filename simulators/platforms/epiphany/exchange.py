"""How the cores exchange a state: every core stores what it made into all others of its row, and then what the row made
into all others of its column. Words are stored one by one, as they are in the measured `memcpy`; a flag says that a
row's, or a column's, are there."""

from __future__ import annotations

from math import ceil

from simulators.lowering.segments import Label, Step
from simulators.platforms.epiphany.machine import EXCHANGE, FPU
from simulators.platforms.epiphany.mesh import WRITES
from simulators.platforms.epiphany.spec import exact
from simulators.platforms.epiphany.streams import PRODUCT, TileSteps

WORD_BITS = 32


def state_label(steps: TileSteps, core: int) -> Label:
    """What the state of the step before is there with."""
    return f"state {core % steps.grid.columns}", 1


def exchange_steps(steps: TileSteps, role: str) -> list[Step]:
    """The exchange behind the steps of a role."""
    product, grid = steps.tiles.product, steps.grid
    in_row = len(next(iter(steps.rows.values())))
    columns = sorted({core % grid.columns for core in steps.cores})
    own = ceil(product.handed_on * product.output_bits / (len(steps.cores) * WORD_BITS))
    made: list[Step] = []
    for row, cores in steps.rows.items():
        for core in cores:
            made.append(_stored(steps, f"row sent {core}", core, own * (in_row - 1), ((f"{role} {core}", 1),)))
        edge = grid.node(row, grid.columns - 1)
        sent: tuple[Label, ...] = tuple((f"row sent {core}", 1) for core in cores)
        made += _flag(steps, f"row {row}", (edge, edge - 1), (sent, own, in_row), steps.queues.row_barrier(row))
    rows = len(steps.rows)
    for column in columns:
        cores = [core for core in steps.cores if core % grid.columns == column]
        for core in cores:
            waits = ((f"row {core // grid.columns}", 1),)
            made.append(_stored(steps, f"column sent {core}", core, own * in_row * (rows - 1), waits))
        sent = tuple((f"column sent {core}", 1) for core in cores)
        link = (cores[0], cores[0] + grid.columns if rows > 1 else cores[0] - 1 if column else cores[0] + 1)
        made += _flag(steps, f"state {column}", link, (sent, own * in_row, rows), steps.queues.column_barrier(column))
    return made


def _stored(steps: TileSteps, role: str, core: int, words: int, after: tuple[Label, ...]) -> Step:
    cycles = max(1, ceil(words * exact(steps.spec.core.write_word_cycles)))
    moved = ((PRODUCT, "mesh_read", words * WORD_BITS),)
    return Step((role,), steps.queues.core(core, FPU), cycles, EXCHANGE, after, moved)


def _flag(
    steps: TileSteps, role: str, link: tuple[int, int], sent: tuple[tuple[Label, ...], int, int], barrier: int
) -> list[Step]:
    """The middle link of a line of cores, which has the words of all on one side for all on the other, and the flag. A
    link stands for that one: none of the line has more."""
    after, words, cores = sent
    busiest = max(1, words * (cores // 2) * ceil(cores / 2))
    hops = (cores - 1) * steps.spec.mesh.two_hops_cycles // 2
    begun = tuple(label for label in after[:1])
    return [
        Step((f"words of {role}",), steps.queues.link(WRITES, link), busiest, EXCHANGE, begun),
        Step((role,), barrier, steps.spec.core.flag_cycles + hops, EXCHANGE, (*after, (f"words of {role}", 1))),
    ]
