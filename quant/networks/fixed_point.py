"""Recurrences with a product inside in 16-bit fixed point: the state is encoded to the site's activation bits at every
step and multiplied as integers, and everything else is rounded as the cell says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.arithmetic.grid import fixed_point_grid
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.products import OperandCodes, Weights, split
from quant.networks.step import FastStep, StepRoundings
from quant.networks.time_order import in_time, side_by_side, true_frames
from quant.sites.candidate import FIXED_POINT_BITS

if TYPE_CHECKING:
    from quant.networks.gated import GatedCell


def by_direction(directions: int, weights: Weights) -> tuple[Weights, ...]:
    """The recurrent matrices (G·C, C) of each direction, from one (D·G·C, C)."""
    parts = zip(weights.codes.chunk(directions), weights.steps.chunk(directions), strict=True)
    return tuple(Weights(codes, steps, weights.bits) for codes, steps in parts)


def with_step(
    cell: GatedCell,
    site: str,
    u: torch.Tensor,
    bias: torch.Tensor,
    lengths: torch.Tensor,
    arithmetic: QuantizedArithmetic,
) -> torch.Tensor:
    """u (T, B, D·G·C), bias (D, R·C), lengths (B,) → h (T, B, D, C), by a step in torch: any cell, slowly."""
    directions = len(bias)
    grid, halves = arithmetic.grid(site), arithmetic.arranged(site, partial(by_direction, directions))
    sums, memory = arithmetic.calibration.results[site], arithmetic.calibration.states[site]
    roundings = StepRoundings(fixed_point_grid(1.0).round, memory.round, sums.round)
    inputs = sums.round(side_by_side(u, lengths, directions))
    threshold, transmitted = arithmetic.threshold(site), []
    held = torch.zeros(directions, u.shape[1], halves[0].codes.shape[1], dtype=torch.int32)

    def product(h: torch.Tensor) -> torch.Tensor:
        codes = grid.encode(h).to(torch.int32)
        changed = (codes - held).abs() > threshold
        transmitted.append(changed.numpy())
        held[changed] = codes[changed]
        both = [half.multiply(split(held[d], grid)).float() * (half.steps * grid.step) for d, half in enumerate(halves)]
        return sums.round(torch.stack(both))

    h = torch.stack([state[0] for state in cell.steps(inputs, product, sums.round(bias), roundings)])
    true = true_frames(u, lengths)
    if arithmetic.delta and site in arithmetic.delta.thresholds:
        arithmetic.delta.record(site, np.stack(transmitted) & true[:, None, :, None].numpy())
    return in_time(h, lengths) * true[..., None, None]


def with_fast_step(
    step: FastStep,
    gates: int,
    site: str,
    u: torch.Tensor,
    bias: torch.Tensor,
    lengths: torch.Tensor,
    arithmetic: QuantizedArithmetic,
) -> torch.Tensor:
    """h (T, B, D, C) as `with_step` computes it, by a compiled step of so many gates. Longest utterances first, so that
    those that have ended cost nothing."""
    directions = len(bias)
    grid, halves = arithmetic.grid(site), arithmetic.arranged(site, partial(by_direction, directions))
    steps, batch, cells = *u.shape[:2], halves[0].codes.shape[1]
    by_gate = (gates, cells)
    scale = (torch.stack([half.steps for half in halves]) * grid.step).view(directions, *by_gate).numpy()
    sums, memory = arithmetic.calibration.results[site], arithmetic.calibration.states[site]
    order = torch.argsort(lengths, descending=True, stable=True)
    state, memories = (np.zeros((directions, batch, cells), np.float32) for _ in range(2))
    out = torch.zeros(steps, batch, directions, cells)
    high = torch.empty(state.shape, dtype=torch.int8)
    wide = grid.bits == FIXED_POINT_BITS
    low = torch.empty_like(high) if wide else high
    recorded = arithmetic.delta is not None and site in arithmetic.delta.thresholds
    held, sent = np.zeros(state.shape, np.int32), np.zeros((steps * recorded, *state.shape), np.bool_)
    encoding = tuple(map(np.float32, (1.0 / grid.step, grid.lowest, grid.highest)))
    threshold = arithmetic.threshold(site)
    utterances = order.numpy(), lengths.numpy()
    own = sums.round(bias).numpy(), state, memories, out.numpy(), np.float32(sums.step), np.float32(memory.step)
    inputs, codes = u.view(steps, batch, directions, *by_gate).numpy(), (high.numpy(), low.numpy())
    for t, n in enumerate((lengths[:, None] > torch.arange(steps)).sum(0).tolist()):
        if not n:
            break
        kernels.transmit(state, n, t, *encoding, threshold, held, *codes, wide, sent)
        products = [
            half.multiply(OperandCodes(high[d, :n], low[d, :n] if wide else None)).view(n, *by_gate)
            for d, half in enumerate(halves)
        ]
        if products[0].dtype is not products[-1].dtype:  # only one of them could exceed what float32 holds
            products = [sums_of.float() for sums_of in products]
        forward, backward = products[0].numpy(), products[-1].numpy()
        step(forward, backward, scale, inputs, t, *utterances, *own)
    if arithmetic.delta is not None and recorded:
        arithmetic.delta.record(site, sent[:, :, torch.argsort(order).numpy()])
    return out
