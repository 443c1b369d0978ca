"""Trained recurrent speech recognisers, their post-training quantization, and the traces that they emit."""

from typing import TYPE_CHECKING, Any

from quant.sites.candidate import Bits, homogeneous, parse_bits
from quant.sites.site import Site

if TYPE_CHECKING:
    from quant.arithmetic.clipping import Scheme
    from quant.evaluation.rates import ErrorRate
    from quant.evaluation.recogniser import Recogniser, load_model

__all__ = ["Bits", "ErrorRate", "Recogniser", "Scheme", "Site", "homogeneous", "load_model", "parse_bits"]


def __getattr__(name: str) -> Any:
    """torch takes seconds to load: what needs it waits until it is asked for."""
    if name == "Scheme":
        from quant.arithmetic.clipping import Scheme

        return Scheme
    if name in __all__:
        from quant.evaluation import recogniser

        return getattr(recogniser, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
