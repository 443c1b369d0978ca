"""Trained recurrent speech recognisers, their post-training quantization, and the traces that they emit."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quant.sites.candidate import Bits, homogeneous, parse_bits
from quant.sites.site import Site

if TYPE_CHECKING:
    from quant.arithmetic.clipping import Scheme
    from quant.evaluation.loading import load_model
    from quant.evaluation.rates import ErrorRate
    from quant.evaluation.recogniser import Recogniser
    from quant.graphs.graph_loading import load

_MODULES = {
    "ErrorRate": "quant.evaluation.rates",
    "Recogniser": "quant.evaluation.recogniser",
    "Scheme": "quant.arithmetic.clipping",
    "load": "quant.graphs.graph_loading",
    "load_model": "quant.evaluation.loading",
}

__all__ = ["Bits", "ErrorRate", "Recogniser", "Scheme", "Site", "homogeneous", "load", "load_model", "parse_bits"]


def __getattr__(name: str) -> Any:
    """What needs torch, which takes seconds to load, is imported when it is asked for."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
