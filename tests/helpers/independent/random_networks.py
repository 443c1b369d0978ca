"""Random networks on random hardware, small enough to be written out task by task, of all operations that a platform
takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simulators import (
    ActivationMatmul,
    Arch,
    Conv2d,
    Elementwise,
    InputError,
    Matmul,
    Pool2d,
    Trace,
    load_arch,
    simulate,
)
from simulators.workloads.operations import Layer

Draw = np.random.Generator
OPS = ("add", "multiply", "sigmoid", "exp", "divide", "max")


def between(draw: Draw, low: int, high: int) -> int:
    """A whole number from low to high, small ones as likely as large ones."""
    return int(np.exp(draw.uniform(np.log(low), np.log(high + 1))))


def one_of(draw: Draw, values: tuple[Any, ...]) -> Any:
    """One of some values."""
    return values[int(draw.integers(len(values)))]


def point(platform: str, seed: int) -> tuple[Trace, Arch]:
    """A network and hardware that it runs on, the first of a sequence that fits."""
    for attempt in range(1000):
        draw = np.random.default_rng([seed, attempt])
        network, hardware = _PLATFORMS[platform]
        try:
            trace, arch = network(draw), hardware(draw)
            simulate(trace, arch)
        except InputError:
            continue
        return trace, arch
    raise AssertionError(f"{platform}, seed {seed}: nothing fits")


def dram(draw: Draw, most: int) -> dict[str, Any]:
    """A channel of up to so many bits a cycle, or of as many GB/s at 1 GHz, sometimes with a clock of its own."""
    clock = {"dram.frequency_mhz": one_of(draw, (200, 333.3, 1600))} if draw.random() < 0.3 else {}
    if draw.random() < 0.6:
        return {"dram.bits_per_cycle": between(draw, 4, most), **clock}
    return {"dram.gb_per_s": between(draw, 4, most) / 8 + one_of(draw, (0, 0.1)), **clock}


def bitfusion(draw: Draw) -> Arch:
    """A Bit Fusion with small buffers, sometimes with a mapping of its own."""
    changes = {
        "array.rows": between(draw, 1, 24),
        "array.columns": between(draw, 1, 40),
        "array.unit_operand_bits": one_of(draw, (8, 8, 16)),
        "buffers.input_kib": between(draw, 1, 64) / 2,
        "buffers.weight_kib": between(draw, 1, 256) / 2,
        "buffers.output_kib": between(draw, 1, 64) / 4,
        "buffers.double_buffered": "true" if draw.random() < 0.85 else "false",
        "buffers.partial_sum_bits": one_of(draw, (16, 32, 64)),
        **dram(draw, 1024),
        "post_processing.lanes": between(draw, 1, 64),
        "skips_inactive_inputs": one_of(draw, ("true", "false")),
    }
    if draw.random() < 0.3:
        tiles = ", ".join(f"{size}: {between(draw, 1, 64)}" for size in ("out_tile", "in_tile", "vector_tile"))
        changes["mapping"] = f"{{outer: {one_of(draw, ('outputs', 'vectors'))}, {tiles}}}"
    return load_arch("bitfusion", [f"{key}={value}" for key, value in changes.items()])


def silago(draw: Draw) -> Arch:
    """A SiLago with few tiles."""
    changes = {
        "fabric.rows": between(draw, 1, 4),
        "fabric.columns": between(draw, 1, 16),
        "fabric.window_columns": int(draw.integers(0, 4)),
        "cell.register_file_words": one_of(draw, (32, 64, 128)),
        "cell.mac_lanes": int(draw.integers(1, 4)),
        "cell.read_ports": int(draw.integers(1, 5)),
        "cell.special_function_lanes": int(draw.integers(1, 3)),
        "cell.reduction_cycles": int(draw.integers(0, 4)),
        "cell.loop_setup_cycles": int(draw.integers(0, 3)),
        "dimarch.weight_tiles": between(draw, 1, 40),
        "dimarch.activation_tiles": between(draw, 1, 40),
        "dimarch.tile_rows": between(draw, 4, 128),
        "dimarch.row_bits": one_of(draw, (64, 128, 256, 272)),
        "dimarch.link_bits_per_cycle": between(draw, 16, 512),
        "dimarch.extra_hops": int(draw.integers(0, 3)),
        **dram(draw, 256),
        "skips_inactive_inputs": one_of(draw, ("true", "false")),
    }
    return load_arch("silago", [f"{key}={value}" for key, value in changes.items()])


def bitfusion_network(draw: Draw) -> Trace:
    """Layers of each kind at any widths."""

    def bits() -> dict[str, int]:
        widths = (1, 2, 3, 4, 5, 8, 8, 11, 16)
        return {key: one_of(draw, widths) for key in ("weight_bits", "activation_bits", "output_bits")}

    return _network(draw, bits, (*_KINDS, _activation_product))


def silago_network(draw: Draw) -> Trace:
    """Layers of each kind that SiLago takes, both operands of a product at one width."""

    def bits() -> dict[str, int]:
        width = one_of(draw, (4, 8, 16))
        return {"weight_bits": width, "activation_bits": width, "output_bits": one_of(draw, (4, 8, 16))}

    return _network(draw, bits, _KINDS)


Bits = Callable[[], dict[str, int]]


def _network(draw: Draw, bits: Bits, kinds: tuple[Callable[..., list[Layer]], ...]) -> Trace:
    steps = between(draw, 1, 12)
    layers: list[Layer] = []
    for number in range(int(draw.integers(1, 5))):
        layers += one_of(draw, kinds)(draw, f"l{number}", steps, bits())
    return Trace(name="drawn", steps=steps, layers=tuple(layers))  # type: ignore[arg-type]


def _product(draw: Draw, name: str, steps: int, bits: dict[str, int]) -> list[Layer]:
    """A product, recurrent or not, in a third of the cases with elementwise work that takes its results."""
    outputs = between(draw, 1, 160)
    active: float | tuple[float, ...] = 1.0
    if draw.random() < 0.4:
        shares = tuple(round(float(share), 2) for share in draw.uniform(0, 1, steps))
        active = shares if draw.random() < 0.5 else max(0.01, shares[0])
    product = Matmul(
        name=name, out_features=outputs, in_features=between(draw, 1, 260), steps=steps, active=active,
        recurrent=bool(draw.random() < 0.4), **bits,
    )  # fmt: skip
    if draw.random() < 0.6:
        return [product]
    return [product, *_elementwise(draw, f"{name}b", steps, bits, outputs + int(one_of(draw, (0, 0, 7, 100))))]


def _elementwise(draw: Draw, name: str, steps: int, bits: dict[str, int], inputs: int | None = None) -> list[Layer]:
    return [
        Elementwise(
            name=name, ops={op: between(draw, 1, 300) for op in OPS if draw.random() < 0.4} or {"add": 5},
            inputs=between(draw, 1, 400) if inputs is None else inputs, outputs=int(draw.integers(0, 300)),
            steps=steps, recurrent=bool(draw.random() < 0.3),
            vector_parameters=int(one_of(draw, (0, 0, between(draw, 1, 2000)))),
            activation_bits=bits["activation_bits"], output_bits=bits["output_bits"],
        )
    ]  # fmt: skip


def _convolution(draw: Draw, name: str, steps: int, bits: dict[str, int]) -> list[Layer]:
    """A convolution with groups, strides, padding and dilation, in a third of the cases with elementwise work that
    takes its results."""
    groups = int(one_of(draw, (1, 1, 1, 2, 3)))
    product = Conv2d(
        name=name, steps=min(steps, 2), in_channels=groups * between(draw, 1, 6), groups=groups,
        out_channels=groups * between(draw, 1, 20), expanded=bool(draw.random() < 0.2), **_window(draw), **bits,
    )  # fmt: skip
    if draw.random() < 0.6:
        return [product]
    results = product.outputs_total().elements // product.steps + int(one_of(draw, (0, 0, 7, 100)))
    return [product, *_elementwise(draw, f"{name}b", product.steps, bits, results)]


def _pool(draw: Draw, name: str, steps: int, bits: dict[str, int]) -> list[Layer]:
    widths = {"activation_bits": bits["activation_bits"], "output_bits": bits["activation_bits"]}
    return [
        Pool2d(
            name=name, steps=min(steps, 4), kind=one_of(draw, ("max", "average")), channels=between(draw, 1, 12),
            **_window(draw), **widths,
        )
    ]  # fmt: skip


def _window(draw: Draw) -> dict[str, tuple[int, int]]:
    kernel = int(draw.integers(1, 4)), int(draw.integers(1, 4))
    dilation = int(one_of(draw, (1, 1, 2))), int(one_of(draw, (1, 1, 2)))
    reach = [(size - 1) * apart + 1 for size, apart in zip(kernel, dilation, strict=True)]
    return {
        "kernel": kernel,
        "dilation": dilation,
        "input_size": (reach[0] + int(draw.integers(0, 8)), reach[1] + int(draw.integers(0, 8))),
        "stride": (int(draw.integers(1, 3)), int(draw.integers(1, 3))),
        "padding": (int(draw.integers(0, 3)), int(draw.integers(0, 3))),
    }


def _activation_product(draw: Draw, name: str, steps: int, bits: dict[str, int]) -> list[Layer]:
    return [
        ActivationMatmul(
            name=name, steps=min(steps, 3), heads=int(draw.integers(1, 4)), out_features=between(draw, 1, 50),
            in_features=between(draw, 1, 60), vectors=between(draw, 1, 20), second_bits=bits["weight_bits"],
            activation_bits=bits["activation_bits"], output_bits=bits["output_bits"],
        )
    ]  # fmt: skip


_KINDS = (_product, _product, _product, _elementwise, _convolution, _pool)
_PLATFORMS: dict[str, tuple[Callable[[Draw], Trace], Callable[[Draw], Arch]]] = {
    "bitfusion": (bitfusion_network, bitfusion),
    "silago": (silago_network, silago),
}
