"""Calibration of a trained network on its training set."""

import numpy as np

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.observer import calibrate
from quant.networks.network import Network
from quant.speech.batches import pack
from quant.speech.features import Features

UTTERANCES = 32
"""Utterances of a calibration, where there are so many."""


def calibrate_on(network: Network, training: Features, seed: int) -> Calibration:
    """Ranges on a random sample of the training set: dev stays unseen by everything but the decoder's three weights."""
    count = min(UTTERANCES, len(training))
    positions = np.random.default_rng(seed).choice(len(training), count, replace=False)
    batch = pack(training.mats, None, sorted(positions.tolist()))
    return calibrate(network, batch.features, batch.lengths)
