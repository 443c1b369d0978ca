"""Networks that run forward in time alone: no frame knows of a later one, in any arithmetic."""

import numpy as np
import pytest
import torch

from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import IntegerArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.protocol import Arithmetic
from quant.arithmetic.weights import QuantizedWeights
from quant.networks.geometry import Geometry, geometry
from quant.networks.network import Network
from quant.networks.registry import CELLS
from quant.sites.candidate import Bits, homogeneous
from quant.sites.site import Direction, Role
from simulators import InputError, Trace

NAMES = list(CELLS.names())
LENGTHS = torch.tensor([14, 9, 14])


def network_of(cell: str, causal: bool) -> Network:
    network = Network(geometry(cell, {"inputs": 5, "layers": 2, "cells": 6, "outputs": 4, "causal": causal}))
    generator = torch.Generator().manual_seed(3)
    network.initialise(generator)
    for name, parameter in network.named_parameters():
        if name[0] in "BVR":
            parameter.data.normal_(0, 0.3, generator=generator)
    return network.requires_grad_(False)


def frames() -> torch.Tensor:
    return torch.randn(14, 3, 5, generator=torch.Generator().manual_seed(1))


def arithmetics(network: Network, x: torch.Tensor) -> list[Arithmetic | None]:
    calibration = calibrate(network, x, LENGTHS)
    weights, bits = QuantizedWeights(network), homogeneous(network.sites, 8)
    return [
        None,
        QuantizedArithmetic(bits, weights, calibration),
        IntegerArithmetic(bits, weights, calibration, network.sites[0].name),
    ]


@pytest.mark.parametrize("cell", NAMES)
def test_no_frame_knows_of_a_later_one(cell: str) -> None:
    network, x = network_of(cell, causal=True), frames()
    changed = x.clone()
    changed[8:] += 1.0
    both_ways = network_of(cell, causal=False)
    for number, arithmetic in enumerate(arithmetics(network, x)):
        before, after = network(x, LENGTHS, arithmetic), network(changed, LENGTHS, arithmetic)
        assert torch.equal(before[:8], after[:8]), number
        assert not torch.equal(before[8], after[8])
    assert not torch.equal(both_ways(x, LENGTHS)[:8], both_ways(changed, LENGTHS)[:8])


@pytest.mark.parametrize("cell", NAMES)
def test_quantized_passes_stay_near_float_and_whole_numbers_near_them(cell: str) -> None:
    network, x = network_of(cell, causal=True), frames()
    calibration = calibrate(network, x, LENGTHS)
    weights, bits = QuantizedWeights(network), homogeneous(network.sites, 16)
    true = torch.arange(14)[:, None] < LENGTHS
    exact, fast, whole = (
        network(x, LENGTHS, arithmetic)[true]
        for arithmetic in (
            None, QuantizedArithmetic(bits, weights, calibration),
            IntegerArithmetic(bits, weights, calibration, network.sites[0].name),
        )
    )  # fmt: skip
    assert float((exact - fast).abs().max()) < 0.02 * float(exact.abs().max())
    assert float((whole - fast).abs().max()) < 0.01 * float(exact.abs().max())


@pytest.mark.parametrize("cell", NAMES)
def test_a_causal_layer_is_the_forward_half_of_a_bidirectional_one(cell: str) -> None:
    sizes = {"inputs": 5, "layers": 1, "cells": 6, "outputs": 4}
    both, causal = Network(geometry(cell, sizes)), Network(geometry(cell, {**sizes, "causal": True}))
    both.initialise(torch.Generator().manual_seed(2))
    causal.load_state_dict({
        name: (both.state_dict()[name][:, :6] if name == "FC" else both.state_dict()[name][: len(value)])
        for name, value in causal.state_dict().items()
    })  # fmt: skip
    silenced = both.state_dict()
    silenced["FC"][:, 6:] = 0
    both.load_state_dict(silenced)
    torch.testing.assert_close(causal(frames(), LENGTHS), both(frames(), LENGTHS))


@pytest.mark.parametrize("cell", NAMES)
def test_its_gradients_are_those_of_finite_differences(cell: str) -> None:
    network, x = network_of(cell, causal=True).requires_grad_(True), frames()
    loss = network(x, LENGTHS)[: int(LENGTHS.min())].sin().sum()
    loss.backward()
    draw = np.random.default_rng(0)
    for name, parameter in network.named_parameters():
        if not parameter.numel() or parameter.grad is None:
            continue
        at = tuple(int(draw.integers(size)) for size in parameter.shape)
        step, values = 1e-2, []
        with torch.no_grad():
            for sign in (1, -1):
                parameter[at] += sign * step
                values.append(float(network(x, LENGTHS)[: int(LENGTHS.min())].sin().sum()))
                parameter[at] -= sign * step
        slope = (values[0] - values[1]) / (2 * step)
        assert float(parameter.grad[at]) == pytest.approx(slope, abs=5e-3, rel=5e-2), (name, at)


@pytest.mark.parametrize("cell", NAMES)
def test_sites_and_trace_are_half_of_both_directions(cell: str) -> None:
    causal, both = network_of(cell, causal=True), network_of(cell, causal=False)
    for one, two in zip(causal.sites, both.sites, strict=True):
        if one.role in (Role.INPUT, Role.RECURRENT):
            assert one.direction is Direction.FORWARD
            assert 2 * one.out_features == two.out_features
    bits = homogeneous(causal.sites, 8)
    first, second = (
        Trace(name="n", steps=5, layers=tuple(part.layer for part in network.trace_layers(bits, 5)))
        for network in (causal, both)
    )
    assert first.macs == 5 * sum(site.weights for site in causal.sites)
    work = [
        sum(count for layer in trace.layers for count in getattr(layer, "ops", {}).values())
        for trace in (first, second)
    ]
    assert 2 * work[0] == work[1]


def test_files_say_causal_where_a_network_is() -> None:
    plain = geometry("gru", {"layers": 1})
    assert "causal" not in plain.to_dict()
    causal = geometry("gru", {"layers": 1, "causal": True})
    assert geometry("gru", causal.to_dict()) == causal
    assert causal.to_dict()["causal"] is True
    with pytest.raises(InputError, match="causal is 'yes': it must be true or false"):
        Geometry(cell="gru", layers=1, causal="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("cell", NAMES)
def test_a_trace_at_other_bits_is_the_network_s_at_these_bits(cell: str, causal: bool) -> None:
    """What a trace alone says of which product reads a result, against what the network knows."""
    network = network_of(cell, causal)

    def traced(bits: Bits) -> Trace:
        return Trace(name="n", steps=5, layers=tuple(part.layer for part in network.trace_layers(bits, 5)))

    generator, eight = np.random.default_rng(4), traced(homogeneous(network.sites, 8))
    for _ in range(10):
        bits = {site.name: tuple(map(int, generator.choice((2, 4, 8, 16), 2))) for site in network.sites}
        wanted = traced(bits)  # type: ignore[arg-type]
        widths = eight.widths(np.array([[wanted.layers[i].operand_bits for i in wanted.products]]))
        for layer, of_layer in zip(wanted.layers, zip(*(width[0] for width in widths), strict=True), strict=True):
            assert (*layer.operand_bits, layer.outputs_total().width_bits) == of_layer, layer.name
