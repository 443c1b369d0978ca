"""Small recognisers of every cell with parameters that matter, calibrated on noise: what exports are compared on."""

import numpy as np
import torch

from quant.arithmetic.integer_reference import IntegerArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.files.checkpoint import Checkpoint
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import Bits
from quant.speech.batches import pack
from quant.speech.features import Statistics
from quant.speech.scoring import Decoder

INPUTS, FRAMES = 6, 30


def noise(frames: int = FRAMES, seed: int = 3) -> np.ndarray:
    """(frames, 6) float32."""
    return np.random.default_rng(seed).normal(size=(frames, INPUTS)).astype(np.float32)


def small_recogniser(cell: str, causal: bool = False, outputs: int = 5) -> Checkpoint:
    """Two layers of 7 cells a direction; its name would end a comment of C."""
    sizes = {"inputs": INPUTS, "layers": 2, "cells": 7, "outputs": outputs, "causal": causal}
    if cell == "sru":
        sizes["projection"] = 9
    net = Network(geometry(cell, sizes))
    generator = torch.Generator().manual_seed(2)
    net.initialise(generator)
    net.requires_grad_(False)
    for name, parameter in net.named_parameters():
        if name[0] in "VBRb":
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    batch = pack([noise(), noise(17, 5)], None, [0, 1])
    return Checkpoint(
        name=f"small-{cell} */",
        network=net,
        statistics=Statistics(np.full(INPUTS, 0.5, np.float32), np.full(INPUTS, 2, np.float32)),
        decoder=Decoder(np.zeros((2, 2), np.float32), np.zeros(outputs, np.float32)),
        calibration=calibrate(net, batch.features, batch.lengths),
        record={},
        digest="",
    )


@torch.inference_mode()
def in_whole_numbers(checkpoint: Checkpoint, weights: QuantizedWeights, bits: Bits, features: np.ndarray) -> np.ndarray:
    """Scores (T, outputs) of features (T, inputs) by the integer-only reference, in units of their format."""
    net, calibration = checkpoint.network, checkpoint.calibration
    reference = IntegerArithmetic(bits, weights, calibration, net.sites[0].name)
    scores = net(torch.from_numpy(features)[:, None], torch.tensor([len(features)]), reference)[:, 0]
    return np.rint(scores.double().numpy() / calibration.results["FC"].step).astype(np.int64)
