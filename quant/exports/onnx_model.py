"""A candidate of a recogniser as an ONNX model: its sites behind the quantizers of a format, its recurrences as Scan
with their states on 16-bit grids, everything between as the integer-only reference has it.

`features` (frames, inputs) float32, normalised → `scores` (frames, outputs) float32, which are the reference's bit for
bit: the multiplier and shift behind a product, and the tables of sigmoid and tanh, are said in ONNX's own operators.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from quant.arithmetic.integer_reference import CARRIED
from quant.exports.format_quantizers import QUANT_DOMAIN, LinearQuantizers, Quantizers, QuantNodes, said_scale
from quant.exports.integer_program import IntegerLayer, IntegerProgram, IntegerSite
from quant.exports.onnx_arithmetic import matrix, product, read, saturate, shift
from quant.exports.onnx_builder import IR_VERSION, OPSET, OnnxBuilder
from quant.exports.onnx_cells import ONNX_STEPS, StepInputs
from quant.networks.registry import CELLS
from quant.sites.candidate import name_of
from simulators.inputs.errors import InputError

_MOST_BYTES = (1 << 31) - 1


def qdq_model(program: IntegerProgram) -> bytes:
    """Standard ONNX: QuantizeLinear and DequantizeLinear. Raises InputError for widths that these have not."""
    return _file(program, LinearQuantizers(), [])


def qonnx_model(program: IntegerProgram) -> bytes:
    """ONNX with QONNX's Quant nodes, of any width."""
    return _file(program, QuantNodes(), [QUANT_DOMAIN])


def _file(program: IntegerProgram, quantizers: Quantizers, domains: Sequence[str]) -> bytes:
    from onnx import TensorProto, helper

    for site in program.sites:
        quantizers.check(site)
    graph = OnnxBuilder()
    scores = _network(graph, program, quantizers)
    graph.nodes.append(helper.make_node("Identity", [scores], ["scores"], name="scores"))
    first, last = program.sites[0].codes.shape[1], program.output.codes.shape[0]
    built = helper.make_graph(
        graph.nodes,
        program.name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["frames", first])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["frames", last])],
        list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(built, producer_name="mohaq", ir_version=IR_VERSION, opset_imports=opsets)
    statistics = program.statistics
    helper.set_model_props(
        model,
        {
            "bits": name_of(program.bits),
            "cell": program.cell,
            "feature_mean": " ".join(map(repr, statistics.mean.tolist())),
            "feature_deviation": " ".join(map(repr, statistics.deviation.tolist())),
        },
    )
    if model.ByteSize() > _MOST_BYTES:
        raise InputError(f"{model.ByteSize():,} bytes: an ONNX file has less than 2 GiB")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _network(graph: OnnxBuilder, program: IntegerProgram, quantizers: Quantizers) -> str:
    """Scores, of `features`."""
    site = program.sites[0]
    times = graph.constant(np.float32(1.0 / site.activations.step), np.float32)
    codes = graph.op("Mul", "features", times, name="scaled_features")
    quantized = quantizers.features(graph, codes, site, site.name), np.float32(site.activations.step)
    held, fraction = "", 0
    for i, (layer, projection) in enumerate(zip(program.layers, program.projections, strict=True)):
        if projection is not None:
            quantized = _encoded(graph, quantizers, projection, held, fraction)
            results = product(graph, projection, matrix(graph, quantizers, projection), *quantized)
            held, fraction = quantizers.held(graph, results, projection.fraction, projection.name), projection.fraction
        if i:
            quantized = _encoded(graph, quantizers, layer.input, held, fraction)
        u = product(graph, layer.input, matrix(graph, quantizers, layer.input), *quantized)
        held, fraction = _recurrence(graph, program, quantizers, layer, u), layer.output
    quantized = _encoded(graph, quantizers, program.output, held, fraction)
    results = product(graph, program.output, matrix(graph, quantizers, program.output), *quantized)
    last = quantizers.held(graph, results, program.output.fraction, program.output.name)
    return quantizers.real(graph, last, program.output.fraction, f"{program.output.name}.real")


def _encoded(
    graph: OnnxBuilder, quantizers: Quantizers, site: IntegerSite, held: str, fraction: int
) -> tuple[str, np.float32]:
    """What a site's product reads of what is handed on, and its scale."""
    scale = said_scale(site, fraction)
    real = read(graph, quantizers, held, fraction, f"{site.name}.input")
    return quantizers.quantize(graph, real, site, scale, site.name), scale


def _recurrence(
    graph: OnnxBuilder, program: IntegerProgram, quantizers: Quantizers, layer: IntegerLayer, u: str
) -> str:
    """The D directions of a layer, as handed on (frames, D·C), of the results of its input product (frames, D·G·C)."""
    source = layer.input.fraction
    if layer.carries and (source != layer.sums or source > CARRIED):
        carried = shift(graph, u, source - CARRIED)
        u = saturate(graph, shift(graph, carried, CARRIED - layer.sums))
    rows = layer.input.codes.shape[0] // layer.directions
    ends = [graph.constant(np.array([i * rows], np.int64)) for i in range(layer.directions + 1)]
    along = graph.constant(np.array([1], np.int64))
    both = []
    for d in range(layer.directions):
        own = graph.op("Slice", u, ends[d], ends[d + 1], along)
        zeros = quantizers.first(graph, layer.cells)
        states = [zeros] * CELLS.get(program.cell).states
        recurrent = None if layer.recurrent is None else layer.recurrent.rows(d, layer.directions)
        w = "" if recurrent is None else matrix(graph, quantizers, recurrent)  # outside of the loop: once an utterance
        step = partial(_step, program.cell, quantizers, layer, recurrent, w, layer.vectors[d])
        name = f"{layer.input.name}.{('forward', 'backward')[d]}"
        both.append(
            graph.turned(graph.scan(states, graph.turned(own), step, name))
            if d
            else graph.scan(states, own, step, name)
        )
    return graph.op("Concat", *both, name=f"{layer.input.name}.both", axis=1)


def _step(
    cell: str,
    quantizers: Quantizers,
    layer: IntegerLayer,
    recurrent: IntegerSite | None,
    w: str,
    vectors: np.ndarray,
    graph: OnnxBuilder,
    states: Sequence[str],
    u: str,
) -> tuple[Sequence[str], str]:
    """One step of a direction in the body of a loop, `w` being the matrix of its recurrent site."""
    a = ""
    if recurrent is not None:
        a = product(graph, recurrent, w, *_encoded(graph, quantizers, recurrent, states[0], layer.output))
    h, *kept = (quantizers.codes(graph, state, layer.memory if i else layer.output) for i, state in enumerate(states))
    next_h, *next_kept = ONNX_STEPS[cell](graph, layer, StepInputs(u, a, h, tuple(kept), vectors))
    held = quantizers.held(graph, next_h, layer.output, "h")
    return [held, *(quantizers.held(graph, state, layer.memory, "c") for state in next_kept)], held
