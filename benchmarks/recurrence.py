"""The fused SRU recurrence against a loop of torch operations, as it is and with its step compiled by torch, and a
training step with and without kept memory.

    python benchmarks/recurrence.py

Ends with one line of JSON. Ratios are what to quote; times are of the machine that ran it.
"""

import json
import subprocess
import sys
from collections.abc import Callable

import torch
from timing import seconds
from torch.nn import functional

from quant.arithmetic.glibc_memory import keep_freed_memory
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.networks.sru_recurrence import sru_recurrence
from quant.training.loop import TrainingArithmetic
from quant.training.product_types import fastest_products

STEPS, BATCH, CELLS = 256, 16, 550


def torch_loop(u: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Both directions, full lengths, a step at a time."""
    forget, reset, forget_bias, reset_bias = vectors.unbind(1)
    outputs = []
    for direction in (0, 1):
        frames = u[:, :, direction].unbind(0)
        state = torch.zeros(BATCH, CELLS)
        rows = []
        for frame in frames if direction == 0 else reversed(frames):
            x, a_f, a_r = frame.unbind(1)
            f = torch.sigmoid(a_f + forget[direction] * state + forget_bias[direction])
            r = torch.sigmoid(a_r + reset[direction] * state + reset_bias[direction])
            state = x + f * (state - x)
            rows.append(r * torch.tanh(state))
        outputs.append(torch.stack(rows if direction == 0 else rows[::-1]))
    return torch.stack(outputs, dim=2)


def step(frame: torch.Tensor, state: torch.Tensor, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of one direction, for torch to compile."""
    x, a_f, a_r = frame.unbind(1)
    f = torch.sigmoid(a_f + vectors[0] * state + vectors[2])
    r = torch.sigmoid(a_r + vectors[1] * state + vectors[3])
    state = x + f * (state - x)
    return r * torch.tanh(state), state


def compiled_loop() -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None:
    """The loop over a step that torch has compiled; None where it cannot."""
    compiled = torch.compile(step)

    def loop(u: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        outputs = []
        for direction in (0, 1):
            frames = u[:, :, direction].unbind(0)
            state, rows = torch.zeros(BATCH, CELLS), []
            for frame in frames if direction == 0 else reversed(frames):
                h, state = compiled(frame, state, vectors[direction])
                rows.append(h)
            outputs.append(torch.stack(rows if direction == 0 else rows[::-1]))
        return torch.stack(outputs, dim=2)

    try:
        with torch.no_grad():
            loop(torch.zeros(2, BATCH, 2, 3, CELLS), torch.zeros(2, 4, CELLS))
    except Exception as error:
        print(f"torch.compile does not work here: {type(error).__name__}")
        return None
    return loop


def training_step() -> float:
    """Frames a second of a full-size training step on made-up data of three lengths."""
    network = Network(geometry("sru", {}))
    network.initialise(torch.Generator().manual_seed(0))
    batches = [(torch.randn(t, 4096 // t, 23), torch.randint(117, (t * (4096 // t),))) for t in (192, 320, 512)]

    def step() -> None:
        for x, y in batches:
            logits = network(x, torch.full((x.shape[1],), x.shape[0]), TrainingArithmetic(fastest_products()))
            functional.cross_entropy(logits.flatten(0, 1), y).backward()

    frames = sum(len(y) for _, y in batches)
    return frames / seconds(step, 3)


def main() -> None:
    if sys.argv[1:] == ["step"]:
        print(training_step())
        return
    before = float(
        subprocess.run([sys.executable, __file__, "step"], capture_output=True, text=True, check=True).stdout
    )
    keep_freed_memory()
    u = torch.randn(STEPS, BATCH, 2, 3, CELLS, requires_grad=True)
    vectors = (0.3 * torch.randn(2, 4, CELLS)).requires_grad_()
    lengths = torch.full((BATCH,), STEPS)
    torch.testing.assert_close(sru_recurrence(u, vectors, lengths), torch_loop(u, vectors), atol=1e-3, rtol=1e-3)
    fused = seconds(lambda: sru_recurrence(u.detach(), vectors.detach(), lengths), 7)
    loop = seconds(lambda: torch_loop(u.detach(), vectors.detach()), 3)
    fused_both = seconds(lambda: sru_recurrence(u, vectors, lengths).sum().backward(), 7)
    loop_both = seconds(lambda: torch_loop(u, vectors).sum().backward(), 3)
    compiled = compiled_loop()
    if compiled is not None:
        with torch.no_grad():
            torch.testing.assert_close(
                compiled(u.detach(), vectors.detach()), torch_loop(u.detach(), vectors.detach()), atol=1e-3, rtol=1e-3
            )
            with_compile = seconds(lambda: compiled(u.detach(), vectors.detach()), 3)
        print(f"forward: {with_compile / fused:.1f} times as fast as the loop over a compiled step")
    after = training_step()
    frames = STEPS * BATCH
    for what, ours, theirs in (("forward", fused, loop), ("forward and backward", fused_both, loop_both)):
        print(
            f"{what}: fused {frames / ours:,.0f} frames/s, torch loop {frames / theirs:,.0f}: {theirs / ours:.1f} times"
        )
    print(
        f"training step: {after:,.0f} frames/s keeping freed memory, {before:,.0f} without: {after / before:.1f} times"
    )
    figures = {
        "forward_ratio": loop / fused,
        "compiled_forward_ratio": None if compiled is None else with_compile / fused,
        "forward_backward_ratio": loop_both / fused_both,
        "training_frames_per_s": after,
        "allocator_ratio": after / before,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
