"""The picture of what each hardware made of a network's layers, as HAQ (Wang et al. 2019) draws its policies: widths by
layer, and what a layer does with a byte, from which HAQ explains them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from search.report.analysis import Analysis
from search.report.picture import COLOURS
from search.report.policies import KINDS, CostedPolicy, PolicyMatrix
from search.runs.plot_axes import cost_axis, plain_style, png_of
from simulators.inputs.errors import InputError
from simulators.inputs.escapes import picture_text

ROW, LEFT, BESIDE = 2.1, 7.0, 3.4
"""Inches: the height of a policy, the widths of its bars and of its roofline."""


def draw_policies(report: Analysis) -> bytes:
    """PNG of the first network that was searched on several pieces of hardware: a row a policy, its layers in their
    order with weights' bits up and activations' down, and beside them bits against multiply-accumulates a byte. Raises
    InputError where there is no such network."""
    if not report.policies:
        raise InputError("policies: expected runs of one network on several pieces of hardware, with errors")
    matrix = report.policies[0]
    with plain_style():
        height = ROW * len(matrix.policies) + 0.7
        figure = Figure(figsize=(LEFT + BESIDE, height), layout="constrained")
        axes = figure.subplots(len(matrix.policies), 2, squeeze=False, width_ratios=(LEFT, BESIDE))
        most = max(bits for p in matrix.policies for of in p.layers for bits in (of.weight_bits, of.activation_bits))
        intensities = np.array([of.intensity for p in matrix.policies for of in p.layers if of.intensity], float)
        for (bars, beside), policy in zip(axes, matrix.policies, strict=True):
            hardware = report.runs[policy.run].experiment.arch
            _draw_bits(bars, policy, most, f"best for {hardware}: {policy.policy.error:.2f} %")
            _draw_roofline(beside, policy, most)
            cost_axis(beside, "multiply-accumulates a byte", intensities)
            if policy is not matrix.policies[-1]:
                bars.set_xticklabels([])
                beside.set_xlabel("")
        figure.legend(handles=_legend(matrix), loc="outside upper center", ncols=len(KINDS) + 2, frameon=False)
        return png_of(figure)


def _draw_bits(axis: Axes, policy: CostedPolicy, most: int, title: str) -> None:
    places = range(len(policy.layers))
    colours = [_colour(layer.kind) for layer in policy.layers]
    axis.bar(places, [layer.weight_bits for layer in policy.layers], color=colours, width=0.8)
    axis.bar(places, [-layer.activation_bits for layer in policy.layers], color=colours, width=0.8, alpha=0.55)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks([*places], [picture_text(layer.name) for layer in policy.layers], rotation=90)
    ticks = [*range(0, most + 1, 1 + most // 5)]
    axis.set_yticks([*(-tick for tick in ticks[:0:-1]), *ticks], [*map(str, ticks[:0:-1]), *map(str, ticks)])
    axis.set(ylim=(-most - 0.5, most + 0.5), ylabel="activations | weights, bits")
    axis.set_title(picture_text(title), loc="left", fontsize=9)
    axis.grid(True, axis="y", linewidth=0.3, color="#dddddd")
    axis.set_axisbelow(True)


def _draw_roofline(axis: Axes, policy: CostedPolicy, most: int) -> None:
    for kind in KINDS:
        known = [layer for layer in policy.layers if layer.kind == kind and layer.intensity]
        across = np.array([layer.intensity for layer in known], float)
        axis.scatter(across, [layer.weight_bits for layer in known], s=24, color=_colour(kind))
        axis.scatter(
            across, [layer.activation_bits for layer in known], s=24, facecolors="none", edgecolors=_colour(kind)
        )
    axis.set(ylim=(0, most + 0.5), ylabel="bits")


def _legend(matrix: PolicyMatrix) -> list[Patch]:
    found = {layer.kind for policy in matrix.policies for layer in policy.layers}
    return [Patch(color=_colour(kind), label=kind) for kind in KINDS if kind in found] + [
        Patch(color="#888888", label="up, filled: weights"),
        Patch(facecolor="#888888", alpha=0.55, label="down, rings: activations"),
    ]


def _colour(kind: str) -> str:
    return COLOURS[KINDS.index(kind)]
