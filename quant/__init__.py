"""Trained recurrent speech recognisers, their post-training quantization, and the traces that they emit."""

from quant.candidate import Bits, homogeneous, parse_bits
from quant.clipping import Scheme
from quant.models.site import Site
from quant.recogniser import ErrorRate, Recogniser, load_model

__all__ = ["Bits", "ErrorRate", "Recogniser", "Scheme", "Site", "homogeneous", "load_model", "parse_bits"]
