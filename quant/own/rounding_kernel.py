"""The compiled rounding of values to a grid, in one pass: as eight operations of torch it took a third of the time of a
candidate of NSNet2."""

import numpy as np

from simulators.inputs.jit import compiled


@compiled
def round_to_grid(x, inverse_step, step, lowest, highest, out):
    """Fill `out` (N,) with x (N,) on the grid of codes from `lowest` to `highest` times `step`, ties to even; how many
    did not fit, and how many are no numbers, which count as such too. All have the type of x."""
    clipped, no_numbers = 0, 0
    for i in range(x.size):
        code = np.rint(x[i] * inverse_step)
        held = lowest if code < lowest else code
        held = highest if held > highest else held
        clipped += held != code
        no_numbers += code != code
        out[i] = held * step
    return clipped, no_numbers
