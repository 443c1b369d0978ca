"""A graph as a delta network (Neil et al. 2017): products see what was sent last where their input changed little.

An element of a product's input is sent only where its code is further than a threshold from the one that was sent last,
zero before the first step of an utterance. Steps follow each other in the time of a recurrent layer, each direction in
its own (but the input products of an LSTM with projections, which run forward), and from call to call of a network that
keeps its state.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from quant.arithmetic.products import Weights
from quant.graphs.graph_roundings import GraphRounded
from quant.own.formats import Formats
from quant.sites.candidate import Bits


@dataclass
class SentElements:
    """What the product of a site was sent."""

    sent: int = 0
    """Number of elements that were sent."""
    count: int = 0
    """Number of elements of all steps."""

    @property
    def share(self) -> float:
        """The share that was sent, between 0 and 1."""
        return self.sent / self.count if self.count else 1.0


class GraphDelta(GraphRounded):
    """A candidate's grids, and thresholds of sites in codes of what their products read."""

    by_steps = True

    def __init__(
        self, bits: Bits, formats: Formats, weights: Mapping[str, Weights], thresholds: Mapping[str, int],
        axes: Mapping[str, int | None],
    ):  # fmt: skip
        """`axes` has the axis of time of what each site with a threshold reads; None where every call is a step."""
        super().__init__(bits, formats, weights)
        self.sent = {site: SentElements() for site in thresholds}
        self.masks: dict[str, list[torch.Tensor]] = {site: [] for site in thresholds}
        """What was sent since the utterance began, (N, K) bool a step."""
        self._thresholds, self._axes = thresholds, axes
        self._last: dict[str, torch.Tensor] = {}

    def holds(self, site: str) -> bool:
        """Whether a site has a threshold."""
        return site in self._thresholds

    def next_utterance(self) -> None:
        """Nothing was sent yet of what comes."""
        self._last.clear()
        for masks in self.masks.values():
            masks.clear()

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x (…, K) on the grid of the candidate's width, with what is not sent as it was sent last."""
        rounded = super().input(site, x)
        if site not in self._thresholds:
            return rounded
        axis = self._axes[site]
        frames = rounded[None] if axis is None else rounded.movedim(axis, 0)
        held = self._held_frames(site, frames.reshape(len(frames), -1, frames.shape[-1])).view(frames.shape)
        return held[0] if axis is None else held.movedim(0, axis)

    def _held_frames(self, site: str, frames: torch.Tensor) -> torch.Tensor:
        """Frames (T, N, K) with what is not sent as it was sent last."""
        grid, most = self.grid(site), self._thresholds[site]
        last, made, counts = self._last.get(site), [], self.sent[site]
        if last is None or last.shape != frames.shape[1:]:
            last = torch.zeros(frames.shape[1:])
        for frame in frames:
            changes = (frame - last).mul_(1.0 / grid.step).round_().abs_() > most
            last = torch.where(changes, frame, last)
            made.append(last)
            self.masks[site].append(changes)
            counts.sent += int(changes.sum())
            counts.count += changes.numel()
        self._last[site] = last
        return torch.stack(made) if made else frames
