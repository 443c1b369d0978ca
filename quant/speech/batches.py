"""Utterances of different lengths as padded, time-major arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

# Padded lengths in training are multiples of this, so that few distinct block sizes are ever allocated and freed blocks
# fit again; an evaluation has the same few batches again and again.
TRAINING_MULTIPLE = 64
IGNORED_LABEL = -100  # what torch's cross entropy skips


@dataclass(frozen=True)
class UtteranceBatch:
    """Features (T, B, F) float32, lengths (B,) int64, labels (T, B) int64 with IGNORED_LABEL past an utterance's end,
    and the positions (B,) of the utterances in the list that they came from."""

    features: torch.Tensor
    lengths: torch.Tensor
    labels: torch.Tensor | None
    positions: tuple[int, ...]


def pack(
    features: Sequence[np.ndarray], labels: Sequence[np.ndarray] | None, positions: Sequence[int]
) -> UtteranceBatch:
    """Pad the utterances at `positions` to one array: to the longest, with labels to a multiple of TRAINING_MULTIPLE.
    Features are (T, F), labels (T,)."""
    chosen = [features[i] for i in positions]
    longest = max(len(x) for x in chosen)
    steps = longest if labels is None else _padded(longest)
    x = np.zeros((steps, len(chosen), chosen[0].shape[1]), dtype=np.float32)
    y = np.full((steps, len(chosen)), IGNORED_LABEL, dtype=np.int64)
    for column, (i, utterance) in enumerate(zip(positions, chosen, strict=True)):
        x[: len(utterance), column] = utterance
        if labels is not None:
            y[: len(utterance), column] = labels[i]
    return UtteranceBatch(
        torch.from_numpy(x),
        torch.tensor([len(u) for u in chosen]),
        None if labels is None else torch.from_numpy(y),
        tuple(positions),
    )


def plan(
    lengths: Sequence[int], frames_per_batch: int, generator: np.random.Generator | None = None
) -> list[list[int]]:
    """Positions of the utterances of each batch: similar lengths together, at most `frames_per_batch` padded frames
    each (or one utterance).

    With a generator, lengths are jittered by 10 % before sorting and the batches shuffled: a new plan for each epoch of
    a training.
    """
    padded = _padded if generator is not None else int
    keys = np.asarray(lengths, dtype=np.float64)
    if generator is not None:
        keys = keys * generator.uniform(0.9, 1.1, len(keys))
    order = np.argsort(keys, kind="stable")
    batches: list[list[int]] = [[]]
    longest = 0
    for i in order.tolist():
        longest = max(longest, padded(lengths[i]))
        if batches[-1] and longest * (len(batches[-1]) + 1) > frames_per_batch:
            batches.append([])
            longest = padded(lengths[i])
        batches[-1].append(i)
    batches = [b for b in batches if b]
    if generator is not None:
        generator.shuffle(batches)
    return batches


def _padded(length: int) -> int:
    return -(-length // TRAINING_MULTIPLE) * TRAINING_MULTIPLE
