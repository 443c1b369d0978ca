"""Writes a quantized network that is a graph in a format by its name: whole or not at all."""

from collections.abc import Callable, Mapping
from pathlib import Path

from quant.exports.writing import OWN_FORMAT, exported_file
from quant.graph_exports.c99.measured import measured_deviation
from quant.graph_exports.c99.network_header import network_header
from quant.graph_exports.grid_nodes import GridNodes, LinearNodes, QuantNodesOfGraphs
from quant.graph_exports.measured_deviation import deviation
from quant.graph_exports.onnx_graph import graph_model_file
from quant.graph_exports.own_format import export_graph
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import Bits, check_candidate, refuse_thresholds
from simulators.inputs.files import check_target, with_folder, write_output


def _onnx(nodes: type[GridNodes]) -> Callable[[GraphModel, Bits], tuple[bytes, str]]:
    def written(model: GraphModel, bits: Bits) -> tuple[bytes, str]:
        content = graph_model_file(model, bits, nodes())
        found = deviation(content, model, bits)
        return content, "not run: onnxruntime is not installed" if found is None else f"in ONNX Runtime {found}"

    return written


def _c(model: GraphModel, bits: Bits) -> tuple[bytes, str]:
    header = network_header(model, bits)
    found = measured_deviation(header, model, bits)
    sizes = ", ".join(f"{x.name} {list(x.shape)}" for x in header.inputs)
    count = len(model.data.utterances)
    if found is None:
        told = "not run: no C compiler (cc)"
    elif found[1] == count:
        told = f"compiled {found[0]}"
    else:
        told = f"compiled, over {found[1]} of {count} files, whose calls have these sizes: {found[0]}"
    return header.text.encode(), f"for calls of {sizes}; {told}"


_WRITERS: Mapping[str, Callable[[GraphModel, Bits], tuple[bytes, str]]] = {
    "c": _c, "qdq": _onnx(LinearNodes), "qonnx": _onnx(QuantNodesOfGraphs),
}  # fmt: skip
"""What makes a format's content, and says how far it is from the candidate's evaluation where it was run."""


def export_network(form: str, model: GraphModel, bits: Bits, output: Path) -> str:
    """Write a candidate of a network, and say what was written, and how far from the candidate's evaluation it is when
    it runs. Raises InputError for a bad candidate or what the format cannot say, and where nothing can be written."""
    if form == OWN_FORMAT:
        export_graph(model, bits, output)
        return f"{output}: model.safetensors and model.json"
    check_candidate(bits, model.sites)
    refuse_thresholds(bits, "an exported model has none")
    content, told = _WRITERS[form](model, bits)
    file = exported_file(form, output)
    if file == output:
        write_output(file, content)
    else:
        with with_folder(output):
            check_target(file)
            write_output(file, content)
    return f"{file}: {len(content) / 2**20:.2f} MiB; {told}"
