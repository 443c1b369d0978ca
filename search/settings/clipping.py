"""Where weights and activations are clipped: the key `clipping` of an experiment."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Clipping(BaseModel):
    """The methods of clipping: see `quant.arithmetic.clipping`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    weights: Literal["mse", "max", "percentile", "aciq-laplace", "aciq-gauss"] = "mse"
    """How the range of a weight matrix is chosen."""
    activations: Literal["mse", "max", "percentile", "median"] = "mse"
    """How the range of an activation is chosen."""
    per_channel: bool = False
    """Whether every output channel has a step of its own."""
