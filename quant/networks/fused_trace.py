"""The trace of a layer without a recurrent product: its input product, and one piece of elementwise work behind it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from quant.networks.traced_layer import TracedLayer
from quant.sites.site import Site
from simulators import Elementwise, Matmul
from simulators.workloads.operations import ElementwiseOp


@dataclass(frozen=True)
class FusedWork:
    """What follows the input product in each cell and step."""

    name: str
    """Name of the layer in the trace."""
    gates: int
    """Results of the product that it reads."""
    ops: Mapping[ElementwiseOp, int]
    """Elementwise operations."""
    vector_words: int
    """Biases and recurrent vectors, as 16-bit words."""


def fused_layers(
    site: Site, widths: tuple[int, int], steps: int, output_bits: int, work: FusedWork
) -> Iterator[TracedLayer]:
    """The product of all steps at (weight bits, activation bits), whose results are 16-bit fixed point, and the
    recurrence of all directions."""
    weight_bits, activation_bits = widths
    product = Matmul(
        name=site.name, out_features=site.out_features, in_features=site.in_features, steps=steps,
        weight_bits=weight_bits, activation_bits=activation_bits, output_bits=16,
    )  # fmt: skip
    yield TracedLayer(product, site.name)
    cells = site.out_features // work.gates
    yield TracedLayer(
        Elementwise(
            name=work.name, ops={op: count * cells for op, count in work.ops.items()}, inputs=work.gates * cells,
            outputs=cells, steps=steps, recurrent=True, vector_parameters=work.vector_words * cells,
            output_bits=output_bits,
        )
    )  # fmt: skip
