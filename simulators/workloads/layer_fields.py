"""The types of what a trace says of a layer: sizes, widths in bits, shares and masks of inputs."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from simulators.inputs.fields import whole

ElementwiseOp = Literal["add", "multiply", "multiply_add", "sigmoid", "tanh", "relu", "max", "exp", "divide"]
ELEMENTWISE_OPS: tuple[str, ...] = get_args(ElementwiseOp)


def known_operations(table: dict[str, Any]) -> dict[str, Any]:
    """Figures by kind of elementwise operation, as a spec has them. Raises ValueError for a kind that no trace has."""
    for op in table:
        if op not in ELEMENTWISE_OPS:
            near = difflib.get_close_matches(op, ELEMENTWISE_OPS, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(ELEMENTWISE_OPS)}"
            raise ValueError(f"{op}: unknown operation; {hint}")
    return table


Size = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 24)]
"""A dimension: at least one, at most 16,777,216, so that products of a few stay far from int64's limit."""
Count = Annotated[int, BeforeValidator(whole), Field(ge=0, le=1 << 31)]
BitWidth = Annotated[int, BeforeValidator(whole), Field(ge=1, le=16)]
WeightWidth = Annotated[int, BeforeValidator(whole), Field(ge=1, le=32)]
OutputWidth = Annotated[int, BeforeValidator(whole), Field(ge=1, le=32)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Mask = Annotated[str, Field(min_length=1, max_length=1 << 16, pattern=r"^[0-9a-f]+$")]
"""Input elements that a step transmits, as the bits of a hexadecimal number: element 0 is the least significant."""


def _kind_of_activity(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return "one"
    return "masks" if value and isinstance(value[0], str) else "each"


Activity = Annotated[
    Annotated[Fraction, Tag("one")]
    | Annotated[tuple[Share, ...], Field(strict=False), Tag("each")]
    | Annotated[tuple[Mask, ...], Field(strict=False), Tag("masks")],
    Discriminator(_kind_of_activity),
]
"""A share of all steps, or one of each, or a mask of each."""
Extent = Annotated[tuple[Size, Size], Field(strict=False)]
"""Height, width in elements."""
Margin = Annotated[tuple[Count, Count], Field(strict=False)]
Ratio = Annotated[tuple[Size, Size], Field(strict=False)]
"""N, M: N of every M."""
