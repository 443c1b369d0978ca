"""An objective: a quantity of a design point that a search minimises or maximises."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from search.objectives.figures import (
    FIGURE_PLATFORMS,
    NAMES,
    OF_CANDIDATE,
    OF_EVALUATION,
    OF_HARDWARE,
    OF_ONE_HARDWARE,
    OF_TECHNOLOGY,
    Floats,
    PointFigures,
)
from simulators.inputs.errors import InputError

NOT_EVALUATED = 1e6
"""Value of an objective that is not known, because a candidate breaks a limit before it is evaluated. It is never
compared with others: infeasible candidates rank by how far they exceed their limits alone."""


@dataclass(frozen=True)
class Objective:
    """One row of the table of objectives, which settings, searches, files, plots and reports read alike."""

    name: str
    """What an experiment's `objectives` calls it."""
    unit: str
    """Unit of its values, as text; empty for a ratio."""
    label: str
    """What an axis is called, without the unit."""
    needs: tuple[str, ...]
    """The figures that it is computed from: names of fields of `PointFigures`."""
    function: Callable[[PointFigures], Floats]
    """Its values (N,) of N design points; NaN where a figure that it needs is NaN. It is called with ten points and
    with a million."""
    maximised: bool = False
    """Whether larger values are better."""
    column: str = ""
    """Name of its column in files, with the unit; by default its name with underscores."""
    heading: str = ""
    """Heading of its column in tables on a terminal; by default its unit, or else its name."""
    reading: str = ""
    """What follows one of its values in a text; by default the heading."""
    shown: str = ".4g"
    """Format of its values in tables on a terminal."""
    digits: int | None = None
    """Decimals of its values in files; None: as many as there are."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.needs if name not in NAMES]
        if unknown or not self.needs:
            what = unknown[0] if unknown else "nothing"
            raise InputError(f"objective {self.name}: needs: {what}: it must be of {', '.join(NAMES)}")
        try:
            format(1.0, self.shown)
        except ValueError as error:
            raise InputError(f"objective {self.name}: shown: {self.shown!r}: {error}") from None
        if not (self.digits is None or (isinstance(self.digits, int) and self.digits >= 0)):
            raise InputError(f"objective {self.name}: digits: {self.digits!r}: it must be a whole number, or None")
        if not re.fullmatch(r"[a-z0-9_]*", self.column):
            raise InputError(f"objective {self.name}: column {self.column!r}: it must be of a-z, 0-9 and `_`")
        heading = self.heading or self.unit or self.name
        for name, value in (("column", self.name.replace("-", "_")), ("heading", heading), ("reading", heading)):
            object.__setattr__(self, name, getattr(self, name) or value)

    def text(self, value: float) -> str:
        """A value as a table on a terminal has it: in the format `shown`, or with three digits where that leaves fewer
        than two of a small one."""
        text = f"{value:{self.shown}}"
        digits = re.sub(r"[^0-9]", "", text).lstrip("0")
        return text if len(digits) > 1 or not value or not np.isfinite(value) else f"{value:.3g}"

    @property
    def axis(self) -> str:
        """What an axis is called, with the unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def needs_error(self) -> bool:
        """Whether candidates have to be evaluated for it."""
        return any(name in OF_EVALUATION for name in self.needs)

    @property
    def needs_area(self) -> bool:
        """Whether the hardware's spec must give figures of area."""
        return any(name in OF_HARDWARE for name in self.needs)

    @property
    def needs_dram(self) -> bool:
        """Whether the platform must have a figure of DRAM's energy."""
        return any(name in OF_ONE_HARDWARE for name in self.needs)

    @property
    def of_technology(self) -> bool:
        """Whether its values are to be compared on hardware of one technology alone."""
        return any(name in OF_TECHNOLOGY for name in self.needs)

    @property
    def of_candidate(self) -> bool:
        """Whether a candidate has the same value on all variants of a platform's hardware."""
        return all(name in OF_CANDIDATE for name in self.needs)

    @cached_property
    def platforms(self) -> tuple[str, ...] | None:
        """The platforms that have all that it needs; None: every one."""
        limits = [FIGURE_PLATFORMS[name] for name in self.needs if name in FIGURE_PLATFORMS]
        return tuple(name for name in limits[0] if all(name in limit for limit in limits)) if limits else None

    def applies(self, to_variants: bool) -> bool:
        """Whether it tells design points apart: on several variants of hardware, or on one piece of it. A closed form
        knows no variants, nor is DRAM's part kept of them; the area of one piece is the same for all candidates."""
        if to_variants:
            return self.platforms is None and not self.needs_dram
        return any(name not in OF_HARDWARE for name in self.needs)

    def values(self, figures: PointFigures) -> Floats:
        """Its values (N,), NaN where they are not known. Raises InputError for a function that gives anything else."""
        try:
            values = np.asarray(self.function(figures))
        except Exception as error:
            raise InputError(f"objective {self.name}: {type(error).__name__}: {error}") from error
        if values.shape != (len(figures),) or values.dtype.kind not in "fiu":
            raise InputError(
                f"objective {self.name}: its function gives {values.dtype} of shape {values.shape} for "
                f"{len(figures)} points: it must give a number for each"
            )
        return values.astype(np.float64, copy=False)

    def minimised(self, values: Floats) -> Floats:
        """Values of which smaller ones are better."""
        return -values if self.maximised else values


def minimised_values(objectives: Sequence[Objective], figures: PointFigures) -> Floats:
    """(N, objectives): smaller is better in every column; NaN where a value is not known."""
    return np.stack([objective.minimised(objective.values(figures)) for objective in objectives], axis=1)
