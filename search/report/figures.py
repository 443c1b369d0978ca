"""The figures of a point, what an axis is called, and which figure an objective is."""

METRICS = {
    "error": "error rate, worst of 4 subsets (%)",
    "error_plain": "error rate, all (%)",
    "latency_ms": "latency of one utterance (ms)",
    "energy_uj": "energy of one utterance (µJ)",
    "area_mm2": "area of the hardware (mm²)",
    "memory_mib": "memory of the model (MiB)",
    "mohaq_speedup": "speedup by MOHAQ's closed form",
    "mohaq_energy_uj": "energy of a frame by MOHAQ's closed form (µJ)",
}
"""Figures of a point, and what an axis is called."""

METRIC_OF = {
    "error": "error", "latency": "latency_ms", "energy": "energy_uj", "area": "area_mm2", "memory": "memory_mib",
    "mohaq_speedup": "mohaq_speedup", "mohaq_energy": "mohaq_energy_uj",
}  # fmt: skip
"""Objective → the figure of a point."""

MAXIMISED = ("mohaq_speedup",)
