"""Colours of what cycles went on: a cause has one in all pictures, and no two causes of a platform share one."""

from __future__ import annotations

from colorsys import hsv_to_rgb
from hashlib import sha256

# Okabe and Ito's palette, which colour-blind readers can tell apart, and a light grey.
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE, GREY = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999",
)  # fmt: skip
COMPUTE_COLOUR = "#4d4d4d"
COLOUR_OF = {
    "weights": ORANGE, "inputs": SKY, "outputs": GREEN, "drain": YELLOW, "dram": BLUE, "recurrence": VERMILION,
    "post-processing": PURPLE, "reduction": YELLOW, "configuration": PURPLE,
    "activations": SKY, "pipeline": YELLOW, "results": GREEN,
    "elementwise": GREY, "unpack": YELLOW, "exchange": BLUE, "mesh": VERMILION, "software": PURPLE,
    "states": SKY, "activation": YELLOW, "states of the other direction": BLUE,
    "activation of the other direction": VERMILION, "memory latency": ORANGE, "delta scan": GREEN, "reset": PURPLE,
    "register file reload": YELLOW, "columns": BLUE,
}  # fmt: skip
"""Colours of the causes of mohaq's own platforms: all together they are more than the palette, and those of one are
fewer."""


def stall_colour(cause: str) -> str:
    """The colour of a cause; of one that no platform of mohaq's has, it follows from the name alone."""
    if cause in COLOUR_OF:
        return COLOUR_OF[cause]
    digest = sha256(cause.encode("utf-8", "surrogatepass")).digest()
    hue, strength, light = (int.from_bytes(digest[i : i + 2], "big") / 0xFFFF for i in (0, 2, 4))
    return "#" + "".join(f"{round(255 * part):02x}" for part in hsv_to_rgb(hue, 0.5 + strength / 2, 0.5 + light / 2))
