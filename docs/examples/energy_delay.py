"""An objective of one's own: the energy-delay product of one utterance (Gonzalez and Horowitz 1996).

mohaq search docs/examples/energy_delay.yaml --out runs/energy-delay \
    --plugin docs/examples/energy_delay.py --plugin docs/examples/coordinate_descent.py
"""

from search.objectives import Floats, Objective, PointFigures, register_objective


def energy_delay(points: PointFigures) -> Floats:
    """µJ·ms of N design points, (N,)."""
    return points.energy_uj * points.latency_ms


register_objective(
    Objective(
        "energy_delay",
        unit="µJ·ms",
        label="energy-delay product of one utterance",
        needs=("energy_uj", "latency_ms"),
        function=energy_delay,
        column="energy_delay_uj_ms",
        shown=",.0f",
    )
)
