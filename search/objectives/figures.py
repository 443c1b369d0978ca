"""Everything that is known of design points, as arrays: what objectives are functions of."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from simulators.closed_forms.mohaq import CLOSED_FORM_PLATFORMS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PointFigures:
    """Figures of N design points, (N,) float64 each, NaN where one is not known: an error before it is evaluated, the
    area of hardware whose spec gives no figures, a closed form on a platform that has none."""

    error: Floats
    """Error rate in percent, the largest over the groups of speakers."""
    error_plain: Floats
    """Error rate in percent over all speakers."""
    cycles: Floats
    """Simulated cycles of one utterance."""
    latency_ms: Floats
    """Simulated latency of one utterance."""
    energy_uj: Floats
    """Simulated energy of one utterance."""
    dram_energy_uj: Floats
    """What of it DRAM takes, of searches on one piece of hardware whose platform has a figure of it."""
    memory_mib: Floats
    """Weights at their bits and vector parameters at 16."""
    area_mm2: Floats
    """Area of the hardware, from its spec's figures."""
    mohaq_speedup: Floats
    """Speedup over 16 bits by MOHAQ's closed form (Rezk et al. 2022): a ratio."""
    mohaq_energy_uj: Floats
    """Energy of a frame by MOHAQ's closed form of SiLago."""

    def __post_init__(self) -> None:
        for name in NAMES:  # an objective's function may read them
            view = np.asarray(getattr(self, name)).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.cycles)


NAMES = tuple(field.name for field in fields(PointFigures))

OF_EVALUATION = ("error", "error_plain")
"""Figures that take an evaluation of the model."""
OF_CANDIDATE = (*OF_EVALUATION, "memory_mib", "mohaq_speedup", "mohaq_energy_uj")
"""Figures that a candidate has in common on all variants of a platform's hardware."""
OF_HARDWARE = ("area_mm2",)
"""Figures of the hardware alone: objectives only where there are several variants to choose from."""
OF_TECHNOLOGY = ("energy_uj", "dram_energy_uj", "area_mm2")
"""Figures that depend on the process that hardware is made in."""
OF_ONE_HARDWARE = ("dram_energy_uj",)
"""Figures that searches over variants of hardware do not have."""
FIGURE_PLATFORMS = {"mohaq_speedup": CLOSED_FORM_PLATFORMS, "mohaq_energy_uj": ("silago",)}
"""Platforms that have a figure, for those that not all have: MOHAQ's closed forms."""
