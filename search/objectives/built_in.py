"""The objectives that mohaq brings: every figure of a design point that has an axis in plots and reports."""

from search.objectives.objective import Objective

ERROR = Objective(
    "error", "%", "error rate, worst of 4 subsets", ("error",), lambda points: points.error,
    heading="error %", reading="% error", shown=".2f", digits=4,
)  # fmt: skip
ERROR_PLAIN = Objective(
    "error_plain", "%", "error rate, all", ("error_plain",), lambda points: points.error_plain,
    heading="error %, all", reading="% error, all", shown=".2f", digits=4,
)  # fmt: skip
LATENCY = Objective(
    "latency", "ms", "latency of one utterance", ("latency_ms",), lambda points: points.latency_ms,
    column="latency_ms", shown=".3f",
)  # fmt: skip
ENERGY = Objective(
    "energy", "µJ", "energy of one utterance", ("energy_uj",), lambda points: points.energy_uj,
    column="energy_uj", shown=",.0f",
)  # fmt: skip
DRAM_ENERGY = Objective(
    "dram_energy", "µJ", "energy of DRAM, one utterance", ("dram_energy_uj",), lambda points: points.dram_energy_uj,
    column="dram_energy_uj", heading="µJ of DRAM", shown=",.0f",
)  # fmt: skip
AREA = Objective(
    "area", "mm²", "area of the hardware", ("area_mm2",), lambda points: points.area_mm2,
    column="area_mm2", shown=".2f",
)  # fmt: skip
MEMORY = Objective(
    "memory", "MiB", "memory of the model", ("memory_mib",), lambda points: points.memory_mib,
    column="memory_mib", shown=".2f", digits=7,  # which tells bits apart
)  # fmt: skip
SIZE = Objective(
    "size", "KiB", "size of the model", ("memory_mib",), lambda points: 1024 * points.memory_mib,
    column="size_kib", shown=".2f", digits=4,
)  # fmt: skip
MOHAQ_SPEEDUP = Objective(
    "mohaq_speedup", "", "speedup by MOHAQ's closed form", ("mohaq_speedup",), lambda points: points.mohaq_speedup,
    maximised=True, heading="speedup*", reading="closed-form speedup", shown=".1f", digits=4,
)  # fmt: skip
MOHAQ_ENERGY = Objective(
    "mohaq_energy", "µJ", "energy of a frame by MOHAQ's closed form", ("mohaq_energy_uj",),
    lambda points: points.mohaq_energy_uj,
    column="mohaq_energy_uj", heading="µJ a frame*", reading="closed-form µJ", shown=".3f", digits=4,
)  # fmt: skip
