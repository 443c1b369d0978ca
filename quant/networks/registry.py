"""Cells by name: the built-in ones, those of installed packages (entry points `mohaq.cells`), and those of plugin
files."""

from quant.networks.recurrent_cell import RecurrentCell
from simulators.inputs.errors import InputError
from simulators.inputs.registry import Registry
from simulators.workloads.operations import ELEMENTWISE_OPS

DEFAULT_CELL = "sru"
"""What `mohaq train` trains unless another is named."""

_LEAST = {
    "gates": 1, "vector_words": 0, "states": 1, "recurrent_biases": 0, "default_layers": 1, "frames_per_batch": 1,
}  # fmt: skip
"""What a cell counts, and the least that it may be."""


def _checked(name: str, cell: object) -> RecurrentCell:
    """The cell, if it says of itself what every cell must. Raises InputError that names what is wrong."""
    if not isinstance(cell, RecurrentCell):
        where = f"{RecurrentCell.__module__}.{RecurrentCell.__qualname__}"
        raise InputError(f"cell {name}: {type(cell).__name__}: it must be an instance of {where}")
    for attribute in ("name", "title", "gates", "ops", "vector_words"):
        if not hasattr(cell, attribute):
            raise InputError(f"cell {name}: {type(cell).__name__}.{attribute}: missing")
    if cell.name != name:
        raise InputError(f"cell {name}: its own name is {cell.name!r}: it must be registered under that")
    counts = [(attribute, getattr(cell, attribute, least), least) for attribute, least in _LEAST.items()]
    for op, count in cell.ops.items():
        if op not in ELEMENTWISE_OPS:
            raise InputError(f"cell {name}: ops: {op!r}: it must be one of {', '.join(ELEMENTWISE_OPS)}")
        counts.append((f"ops: {op}", count, 0))
    for what, count, least in counts:
        if not isinstance(count, int) or count < least:
            raise InputError(f"cell {name}: {what}: {count!r}: it must be a whole number of at least {least}")
    return cell


CELLS: Registry[RecurrentCell] = Registry(
    "cell",
    "mohaq.cells",
    {
        "sru": "quant.networks.sru:SRU",
        "lstm": "quant.networks.lstm:LSTM",
        "gru": "quant.networks.gru:GRU",
        "ligru": "quant.networks.ligru:LIGRU",
        "mingru": "quant.networks.mingru:MINGRU",
        "lru": "quant.networks.lru:LRU",
    },
    _checked,
)


def register_cell(cell: RecurrentCell) -> None:
    """Make a cell known under its name: what a plugin file does. Raises InputError for a name in use, or for a cell
    that lacks what every cell must say."""
    CELLS.register(getattr(cell, "name", type(cell).__name__.lower()), cell)
