"""The shipped convolutional networks are those of Bit Fusion's tables."""

import csv

import pytest
from paths import REFERENCE

from simulators import Elementwise, load_arch, load_trace, simulate

TABLE = REFERENCE / "bitfusion_isca_networks_batch16.csv"
NETWORKS = {"alexnet": "AlexNet", "cifar-10": "CIFAR10", "lenet-5": "LeNet-5"}
OTHERS = {
    "resnet-18": 1_814_073_344, "vgg-7": 615_917_568, "svhn": 158_017_536, "mobilenet-v1": 568_740_352,
    "mobilenet-v2": 300_774_272, "mobilenet-v2-haq": 300_774_272, "resnet-50": 4_089_184_256,
    "resnet-50-haq": 4_089_184_256, "alexnet-convolutions": 665_784_864, "googlenet-convolutions": 1_581_647_872,
}  # fmt: skip
"""Multiply-accumulates of an image. ResNet-18's are the 1.8 billion of He et al., table 1; MobileNet-V1's the 569 million
of Howard et al., table 4; MobileNet-V2's the 300 million of Sandler et al., table 4."""


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_the_tables(name: str) -> None:
    with TABLE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["network"] == NETWORKS[name] and row["layer"] != "TOTAL"]
    layers = load_trace(name).layers
    assert len(layers) == len(rows) > 0
    for layer, row in zip(layers, rows, strict=True):
        assert not isinstance(layer, Elementwise)
        assert layer.macs * 16 == int(row["macs"])
        assert (layer.weight_bits, layer.activation_bits) == (int(row["wgt_bits"]), int(row["act_bits"]))


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_have_their_operations(name: str) -> None:
    assert load_trace(name).macs == OTHERS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NETWORKS, *OTHERS])
def test_they_run_above_their_bounds(name: str) -> None:
    trace, arch = load_trace(name), load_arch("bitfusion")
    report = simulate(trace, arch)
    dram_bits = sum(n for layer in report.layers for key, n in layer.bits.items() if key.startswith("dram"))
    assert report.cycles >= dram_bits / 192
    assert 0 < report.utilisation <= 1
