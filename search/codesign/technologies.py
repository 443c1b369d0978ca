"""Whether the points of a joint front are of one technology."""

from collections.abc import Iterable, Sequence

from search.objectives import Objective
from search.space.hardware_variants import Variant
from simulators.views.technologies import different_technologies


def technologies_of(objectives: Sequence[Objective], hardware: Iterable[Variant]) -> str:
    """The technologies of the variants in one line, where they differ and an objective depends on that; or nothing."""
    if not any(objective.of_technology for objective in objectives):
        return ""
    return different_technologies((variant.arch.name, variant.arch.spec.technology_nm) for variant in hardware)
