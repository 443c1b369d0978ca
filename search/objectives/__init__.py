"""What a search optimises: one table of objectives, open to plugins and installed packages (`mohaq.objectives`)."""

from search.objectives.figures import Floats, PointFigures
from search.objectives.objective import Objective
from search.objectives.registry import OBJECTIVES, register_objective

__all__ = ["OBJECTIVES", "Floats", "Objective", "PointFigures", "register_objective"]
