"""A candidate of a recogniser as one header of C99: packed weights, scales, tables and the step that reads them.

The arithmetic stands in two files of C beside this one (`reference_step.h`, `reference_passes.h`) and, cell by cell, in
`reference_cells.py`; here their constants are written. `PREFIX_run` computes an utterance: its scores are those of the
integer-only reference (`quant.arithmetic.integer_reference`), bit for bit. What includes the header needs no library.
"""

import re
from pathlib import Path

import numpy as np

from quant.arithmetic.whole_numbers import Ints, Multiplier, tanh_table
from quant.exports.integer_program import IntegerLayer, IntegerProgram, IntegerSite
from quant.exports.reference_cells import STEPS
from quant.sites.candidate import name_of

_WORD = 32
_A_LINE = 12
_HERE = Path(__file__).parent


def c_header(program: IntegerProgram) -> str:
    """The header's text. Its names begin with the model's."""
    prefix = prefix_of(program.name)
    parts = [
        _opening(program),
        c_array("int64_t", "NAME_tanh_table", tanh_table().tolist()),
        (_HERE / "reference_step.h").read_text(),
        STEPS[program.cell],
        (_HERE / "reference_passes.h").read_text(),
        *(_site(site) for site in program.sites),
        *(_layer(layer, i) for i, layer in enumerate(program.layers)),
        _normalise(program),
        _run(program),
        "#endif\n",
    ]
    return re.sub(r"\bNAME_", f"{prefix}_", "\n".join(parts))


def prefix_of(name: str) -> str:
    """A model's name as names of C may begin."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return word if word[:1].isalpha() else f"model_{word}".rstrip("_")


def packed(codes: Ints, bits: int) -> Ints:
    """Codes (M, K) of so many bits as words of 32 bits (M, ⌈K·bits/32⌉), the first code in the lowest bits."""
    each = _WORD // bits
    rows, columns = codes.shape
    padded = np.zeros((rows, -(-columns // each) * each), np.int64)
    padded[:, :columns] = codes & ((1 << bits) - 1)
    words: Ints = (padded.reshape(rows, -1, each) << (bits * np.arange(each))).sum(-1)
    return words


def _opening(program: IntegerProgram) -> str:
    first, last = program.sites[0], program.output
    grid = first.activations
    scale = float(np.float32(1.0 / grid.step))
    width, cells = _width(program), program.layers[0].cells
    return f"""\
/* A quantized recogniser, written by mohaq export --format c: {_commented(program.name)}, {program.cell},
   weights x activations in bits: {name_of(program.bits)}.

   #include it, and call NAME_run with normalised features (frames, NAME_FEATURES); NAME_normalise makes such of
   log-mel energies. It leaves scores (frames, NAME_SCORES), 16-bit fixed point with NAME_SCORE_FRACTION fractional
   bits, that are those of the integer-only reference bit for bit. `scratch` has NAME_SCRATCH(frames) elements. */
#ifndef NAME_H
#define NAME_H
#include <stddef.h>
#include <stdint.h>

#define NAME_FEATURES {first.codes.shape[1]}
#define NAME_FEATURE_SCALE {scale.hex()}f /* codes of a feature of 1: {scale!r} */
#define NAME_FEATURE_LOWEST {grid.lowest}
#define NAME_FEATURE_HIGHEST {grid.highest}
#define NAME_SCORES {last.codes.shape[0]}
#define NAME_SCORE_FRACTION {last.fraction}
#define NAME_SCRATCH(frames) ((frames) * {2 * width} + {3 * cells})
"""


def _commented(text: str) -> str:
    """Text that ends no comment."""
    return "".join(x if x.isprintable() and x.isascii() else "?" for x in text).replace("*/", "*?")


def _width(program: IntegerProgram) -> int:
    """Elements a frame of the widest activation that is kept for all frames."""
    recurrent = [layer.recurrent for layer in program.layers]
    return max(int(site.codes.shape[1]) for site in program.sites if all(site is not each for each in recurrent))


def _site(site: IntegerSite) -> str:
    own = f"NAME_{site.name}"
    grid, alike = site.activations, site.alike
    rows, columns = site.codes.shape
    bias = "NULL" if site.bias is None else f"{own}_bias"
    parts = [
        c_floats(f"{own}_weight_steps", site.weight_steps[: 1 if alike else rows]),
        c_array("uint32_t", f"{own}_codes", packed(site.codes, site.weight_bits).ravel().tolist(), "u"),
        _rescale(f"{own}_rescale", site.rescale, 1 if alike else rows),
        "" if site.bias is None else c_array("int64_t", f"{own}_bias", site.bias.tolist()),
        f"static const NAME_site {own} = {{",
        f"    {rows}, {columns}, {site.weight_bits}, {own}_codes, {own}_rescale, {int(not alike)}, {bias},",
        f"    {site.fraction}, {_multiplier(site.encode, 0)}, {grid.lowest}, {grid.highest},",
        f"    {own}_weight_steps, {grid.step!r}, {site.results.step!r}",
        "};",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _rescale(name: str, factor: Multiplier, count: int) -> str:
    words = ", ".join(_multiplier(factor, row) for row in range(count))
    return f"static const NAME_multiplier {name}[{count}] = {{\n{words}\n}};"


def _multiplier(factor: Multiplier, row: int) -> str:
    m, first, second = (int(np.ravel(part)[row]) for part in (factor.m, factor.first, factor.second))
    return f"{{{m}, {first}, {second}}}"


def _layer(layer: IntegerLayer, i: int) -> str:
    vectors = layer.vectors.ravel().tolist()
    recurrent = "NULL" if layer.recurrent is None else f"&NAME_{layer.recurrent.name}"
    parts = [
        c_array("int64_t", f"NAME_layer_{i}_vectors", vectors) if vectors else "",
        f"static const NAME_layer NAME_layer_{i} = {{",
        f"    &NAME_{layer.input.name}, {recurrent}, {f'NAME_layer_{i}_vectors' if vectors else 'NULL'},",
        f"    {layer.cells}, {layer.directions}, {layer.sums}, {layer.memory}, {layer.held}, {layer.output}",
        "};",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _normalise(program: IntegerProgram) -> str:
    statistics = program.statistics
    return "\n".join((
        c_floats("NAME_mean", statistics.mean),
        c_floats("NAME_deviation", statistics.deviation),
        """
/* Log-mel energies (frames, NAME_FEATURES) become features: the mean of the training set is 0, its deviation 1. */
static inline void NAME_normalise(float *features, size_t frames)
{
    size_t i;
    for (i = 0; i < frames * NAME_FEATURES; i++)
        features[i] = (features[i] - NAME_mean[i % NAME_FEATURES]) / NAME_deviation[i % NAME_FEATURES];
}
""",
    ))  # fmt: skip


def _run(program: IntegerProgram) -> str:
    """The passes of an utterance: two buffers change places, and each value is encoded by what reads it."""
    width, here, there, fraction = _width(program), "x", "y", 0
    lines = []
    for i, (layer, projection) in enumerate(zip(program.layers, program.projections, strict=True)):
        if projection is not None:
            lines += [
                _read(projection, here, fraction),
                f"NAME_multiply(&NAME_{projection.name}, {here}, frames, {there});",
            ]
            here, there, fraction = there, here, projection.fraction
        if i:
            lines.append(_read(layer.input, here, fraction))
        lines.append(f"NAME_recur(&NAME_layer_{i}, {here}, frames, {there}, room);")
        here, there, fraction = there, here, layer.output
    lines += [
        _read(program.output, here, fraction),
        f"NAME_multiply(&NAME_{program.output.name}, {here}, frames, scores);",
    ]
    body = "\n".join(f"    {line}" for line in lines)
    return f"""\
/* An utterance: normalised features (frames, NAME_FEATURES) -> scores (frames, NAME_SCORES). */
static inline void NAME_run(const float *features, size_t frames, int16_t *scores, int16_t *scratch)
{{
    int16_t *x = scratch, *y = x + frames * {width}, *room = y + frames * {width};
    size_t i;
    for (i = 0; i < frames * NAME_FEATURES; i++)
        x[i] = NAME_feature(features[i]);
{body}
}}
"""


def _read(site: IntegerSite, values: str, fraction: int) -> str:
    return f"NAME_read(&NAME_{site.name}, {values}, frames * {site.codes.shape[1]}, {fraction});"


def c_array(kind: str, name: str, values: list[int], suffix: str = "") -> str:
    """The definition of a constant array of whole numbers."""
    by_line = (values[i : i + _A_LINE] for i in range(0, len(values), _A_LINE))
    lines = (", ".join(f"{value}{suffix}" for value in line) for line in by_line)
    return f"static const {kind} {name}[{len(values)}] = {{\n" + ",\n".join(lines) + "\n};"


def c_float(value: float) -> str:
    """A float of C, to its last bit; what is no finite number by the name that math.h has for it."""
    rounded = float(np.float32(value))
    if np.isnan(rounded):
        return "NAN"
    return f"{rounded.hex()}f" if np.isfinite(rounded) else "INFINITY" if rounded > 0 else "-INFINITY"


def c_floats(name: str, values: np.ndarray) -> str:
    """The definition of a constant array of floats, to their last bit."""
    words = ", ".join(c_float(value) for value in values)
    return f"static const float {name}[{len(values)}] = {{\n{words}\n}};"
