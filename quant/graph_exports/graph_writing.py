"""Writes a quantized network that is a graph in a format by its name: whole or not at all."""

from pathlib import Path

from quant.exports.writing import OWN_FORMAT
from quant.graph_exports.own_format import export_graph
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import Bits
from simulators.inputs.errors import InputError


def export_network(form: str, model: GraphModel, bits: Bits, output: Path) -> str:
    """Write a candidate of a network, and say what was written. Raises InputError for a format that networks from
    files are not written in, for a bad candidate, and where nothing can be written."""
    if form == OWN_FORMAT:
        export_graph(model, bits, output)
        return f"{output}: model.safetensors and model.json"
    raise InputError(f"mohaq export --format {form}: networks from files are not written in it: expected {OWN_FORMAT}")
