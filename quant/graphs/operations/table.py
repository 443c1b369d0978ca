"""All operations that a graph may have."""

from quant.graphs.call import Operation
from quant.graphs.operations.control import CONTROL
from quant.graphs.operations.elementwise import ELEMENTWISE
from quant.graphs.operations.fourier import FOURIER
from quant.graphs.operations.neighbourhoods import NEIGHBOURHOODS
from quant.graphs.operations.quantizers import QUANTIZERS
from quant.graphs.operations.rearranging import REARRANGING
from quant.graphs.operations.recurrent import RECURRENT
from quant.graphs.operations.reducing import REDUCING
from quant.graphs.operations.resizing import RESIZING
from quant.graphs.operations.shaping import SHAPING
from quant.graphs.operations.site_products import PRODUCTS

OPERATIONS: dict[str, Operation] = {
    **ELEMENTWISE, **SHAPING, **REARRANGING, **REDUCING, **RESIZING, **PRODUCTS, **FOURIER, **RECURRENT,
    **QUANTIZERS, **CONTROL, **NEIGHBOURHOODS,
}  # fmt: skip
"""How each operator is computed, by ONNX's name of it."""
