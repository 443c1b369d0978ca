"""Objectives by name: those of mohaq, those of installed packages, and those that plugin files register."""

from collections.abc import Iterable

from search.objectives.columns import OTHER_COLUMNS
from search.objectives.objective import Objective
from simulators.inputs.errors import InputError
from simulators.inputs.registry import Registry, instance_of

BUILT_IN = ("error", "error_plain", "latency", "energy", "area", "memory", "mohaq_speedup", "mohaq_energy")
"""In the order of columns and axes."""
ONLY_NAMED = ("size", "dram_energy")
"""Those that say in another unit what one of the others says, or a part of it: files and reports have them where a
search names them."""


def _checked(name: str, thing: object) -> Objective:
    objective = instance_of("objective", Objective)(name, thing)
    if objective.name != name:
        raise InputError(f"objective {name}: it says of itself that it is {objective.name!r}")
    taken = {*OTHER_COLUMNS}
    if name not in BUILT_IN:
        taken |= {OBJECTIVES.get(other).column for other in BUILT_IN}
    if objective.column in taken:
        raise InputError(f"objective {name}: column {objective.column!r}: files have a column of that name already")
    return objective


OBJECTIVES: Registry[Objective] = Registry(
    "objective",
    "mohaq.objectives",
    {name: f"search.objectives.built_in:{name.upper()}" for name in (*BUILT_IN, *ONLY_NAMED)},
    _checked,
)


def register_objective(objective: Objective) -> None:
    """Make an objective known under its name: what a plugin file does. Raises InputError for a name or a column in
    use."""
    for name in OBJECTIVES.names():
        if name not in (objective.name, *BUILT_IN) and OBJECTIVES.get(name).column == objective.column:
            raise InputError(f"objective {objective.name}: column {objective.column!r}: objective {name} has it")
    OBJECTIVES.register(objective.name, objective)


def objectives_named(names: Iterable[str]) -> tuple[Objective, ...]:
    """The objectives of these names, in their order. Raises InputError for a name that nothing has."""
    return tuple(OBJECTIVES.get(name) for name in names)


def columns_of(names: Iterable[str], of_variants: bool) -> tuple[Objective, ...]:
    """The objectives that files and reports have columns of: mohaq's own, as far as they apply to several variants of
    hardware or to one, and of others those that are named."""
    own = [objective for objective in objectives_named(BUILT_IN) if objective.applies(of_variants)]
    return (*own, *other_than_built_in(names))


def other_than_built_in(names: Iterable[str]) -> tuple[Objective, ...]:
    """The objectives of these names that files have only where a search names them: `ONLY_NAMED`, and those that
    plugins or installed packages bring."""
    return tuple(objective for objective in objectives_named(names) if objective.name not in BUILT_IN)
