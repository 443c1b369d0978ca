"""The type of the operands of training's products: float32, or bfloat16 where the processor has instructions for it.

Processors differ: one with AMX multiplies bfloat16 twice as fast as float32, one without any such instruction emulates
it at an eighth of the speed. Which it is shows one measurement, as `quant.arithmetic.products` does it for inference.
The type decides every bit of what is trained, so a run keeps the one that it began with.
"""

import time
from functools import cache
from typing import Literal, cast, get_args

import torch

Products = Literal["float32", "bfloat16"]
PRODUCT_TYPES: tuple[Products, ...] = get_args(Products)

BEFORE_THE_CHOICE: Products = "bfloat16"
"""The type of runs and checkpoints that do not say theirs."""
WORTHWHILE = 1.2
"""How many times as fast bfloat16 must be to be chosen: where both are alike, every measurement says the same."""
ROWS, INPUTS, OUTPUTS = 2048, 512, 1024
"""Size of the product that is measured: a layer's, of half a batch."""


def dtype_of(products: Products) -> torch.dtype:
    """torch's type of the operands."""
    return torch.bfloat16 if products == "bfloat16" else torch.float32


@cache
def products_per_second() -> dict[Products, float]:
    """Multiply-accumulates a second of each type here, with torch's threads as they are, by the fastest of several
    products with operands and results in float32."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, INPUTS, generator=generator)
    weight = torch.randn(OUTPUTS, INPUTS, generator=generator)
    fastest = {}
    for products in PRODUCT_TYPES:
        dtype, seconds = dtype_of(products), []
        with torch.inference_mode():
            for _ in range(5):
                began = time.perf_counter()
                torch.nn.functional.linear(x.to(dtype), weight.to(dtype)).float()
                seconds.append(time.perf_counter() - began)
        fastest[products] = ROWS * INPUTS * OUTPUTS / min(seconds)
    return fastest


def fastest_products() -> Products:
    """The faster type here."""
    speeds = products_per_second()
    return "bfloat16" if speeds["bfloat16"] >= WORTHWHILE * speeds["float32"] else "float32"


def as_products(text: str) -> Products:
    """A type by its name. Raises ValueError for another."""
    if text not in PRODUCT_TYPES:
        raise ValueError(f"{text!r}: it must be one of {', '.join(PRODUCT_TYPES)}")
    return cast(Products, text)
