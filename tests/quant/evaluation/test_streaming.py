"""What a chunk of a stream takes of a causal recogniser."""

from typing import Any

import pytest

from quant.arithmetic.calibration import NOT_CALIBRATED
from quant.evaluation.recogniser import Recogniser
from quant.files.checkpoint import Checkpoint
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import homogeneous
from simulators import InputError, load_arch, simulate


def recogniser(causal: bool) -> Recogniser:
    network = Network(geometry("gru", {"layers": 2, "cells": 32, "causal": causal})).requires_grad_(False)
    unused: Any = None
    return Recogniser(Checkpoint("stream", network, unused, unused, NOT_CALIBRATED, {"corpus": "embedded"}, "digest"))


def test_a_chunk_is_two_frames_every_twenty_milliseconds() -> None:
    model = recogniser(causal=True)
    bits = homogeneous(model.sites, 8)
    trace = model.trace_chunk(bits, 2)
    assert (trace.steps, trace.chunk) == (2, trace.chunk)
    assert trace.chunk is not None
    assert (trace.chunk.length_ms, trace.chunk.hop_ms) == (35.0, 20.0)  # a window of 25 ms, and the next 10 ms later
    assert trace.layers == model.trace(bits, 2).layers
    report = simulate(trace, load_arch("bitfusion"))
    assert report.real_time_factor == pytest.approx(report.latency_ms / 20)


def test_a_bidirectional_network_has_no_stream() -> None:
    model = recogniser(causal=False)
    with pytest.raises(InputError, match="chunk: stream is bidirectional"):
        model.trace_chunk(homogeneous(model.sites, 8), 2)
