"""Writes a quantized network that is a graph in a format by its name: whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

from quant.exports.writing import OWN_FORMAT, exported_file
from quant.graph_exports.grid_nodes import GridNodes, LinearNodes, QuantNodesOfGraphs
from quant.graph_exports.measured_deviation import deviation
from quant.graph_exports.onnx_graph import graph_model_file
from quant.graph_exports.own_format import export_graph
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import Bits, check_candidate, refuse_thresholds
from simulators.inputs.errors import InputError
from simulators.inputs.files import check_target, with_folder, write_output

_FORMATS: Mapping[str, type[GridNodes]] = {"qdq": LinearNodes, "qonnx": QuantNodesOfGraphs}


def export_network(form: str, model: GraphModel, bits: Bits, output: Path) -> str:
    """Write a candidate of a network, and say what was written, and how far ONNX Runtime is from the candidate's
    evaluation with it. Raises InputError for a format that networks from files are not written in, for a bad candidate
    or what the format cannot say, and where nothing can be written."""
    if form == OWN_FORMAT:
        export_graph(model, bits, output)
        return f"{output}: model.safetensors and model.json"
    if form not in _FORMATS:
        formats = ", ".join((OWN_FORMAT, *_FORMATS))
        raise InputError(f"format {form}: networks from files are not written in it: expected {formats}")
    check_candidate(bits, model.sites)
    refuse_thresholds(bits, "an exported model has none")
    content = graph_model_file(model, bits, _FORMATS[form]())
    found = deviation(content, model, bits)
    file = exported_file(form, output)
    if file == output:
        write_output(file, content)
    else:
        with with_folder(output):
            check_target(file)
            write_output(file, content)
    told = "not run: onnxruntime is not installed" if found is None else f"in ONNX Runtime {found}"
    return f"{file}: {len(content) / 2**20:.2f} MiB; {told}"
