"""How far an exported ONNX model, run by ONNX Runtime, is from the evaluation of its candidate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from quant.exports.format_quantizers import QUANT_DOMAIN
from quant.graphs.graph_data import GivenUtterance
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import Bits
from simulators.inputs.errors import InputError


@dataclass(frozen=True)
class Deviation:
    """How far the judged outputs of all utterances are from those that they should be."""

    largest: float
    """The largest difference of two values."""
    percent: float
    """Root mean square of the differences, in percent of the outputs' own."""

    def __str__(self) -> str:
        if self.largest == 0.0:
            return "equal to the candidate's evaluation, bit for bit"
        return f"{self.percent:.2g} % from the candidate's evaluation (root mean square; at most {self.largest:.2g})"


def deviation(content: bytes, model: GraphModel, bits: Bits) -> Deviation | None:
    """What ONNX Runtime computes of a file's content against `GraphModel.outputs`; None where it is not installed.
    Raises InputError for a file that it does not run."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(_runnable(content), options, providers=["CPUExecutionProvider"])
        found = [_output(session, model, utterance) for utterance in model.data.utterances]
    except Exception as error:  # of kinds of its own, which it does not name
        raise InputError(f"ONNX Runtime does not run what was written: {' '.join(str(error).split())[:300]}") from error
    return deviation_of(list(zip(found, model.outputs(bits), strict=True)))


def deviation_of(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Deviation:
    """How far the first output of each pair is from the second."""
    wrong = sum(float((a.double() - b.double()).square().sum()) for a, b in pairs)
    whole = sum(float(b.double().square().sum()) for _, b in pairs)
    largest = max(float((a.double() - b.double()).abs().max()) for a, b in pairs)
    return Deviation(largest, 100.0 * (wrong / whole) ** 0.5 if whole else 0.0)


def _output(session: Any, model: GraphModel, utterance: GivenUtterance) -> torch.Tensor:
    settings = model.data.settings
    names = list(model.graph.outputs)
    judged = names.index(settings.output or names[0])
    state: dict[str, np.ndarray] = {}
    made = []
    for given in model.data.calls(utterance):
        values = session.run(names, {name: value.numpy() for name, value in given.items()} | state)
        state = {name: values[names.index(source)] for name, source in settings.state.items()}
        made.append(torch.from_numpy(np.array(values[judged])))
    return made[0] if len(made) == 1 else torch.stack(made)


def _runnable(content: bytes) -> bytes:
    """The file with QONNX's Quant as a function of ONNX's own operators, where it reads that."""
    import onnx
    from onnx import helper

    model = onnx.load_model_from_string(content)
    if not any(entry.domain == QUANT_DOMAIN for entry in model.opset_import):
        return content
    nodes = [
        helper.make_node("Constant", [], ["one"], value_float=1.0),
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Constant", [], ["narrow_int"]),
        helper.make_node("Cast", ["narrow_int"], ["narrow_"], to=1),
        helper.make_node("Sub", ["bits", "one"], ["less"]),
        helper.make_node("Pow", ["two", "less"], ["half"]),
        helper.make_node("Sub", ["half", "one"], ["highest"]),
        helper.make_node("Neg", ["half"], ["least"]),
        helper.make_node("Add", ["least", "narrow_"], ["lowest"]),
        helper.make_node("Div", ["x", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "zero"], ["moved"]),
        helper.make_node("Round", ["moved"], ["whole"]),
        helper.make_node("Max", ["whole", "lowest"], ["above"]),
        helper.make_node("Min", ["above", "highest"], ["held"]),
        helper.make_node("Sub", ["held", "zero"], ["back"]),
        helper.make_node("Mul", ["back", "scale"], ["y"]),
    ]
    reference = nodes[2].attribute.add()
    reference.name, reference.ref_attr_name, reference.type = "value_int", "narrow", onnx.AttributeProto.INT
    version = next(entry.version for entry in model.opset_import if entry.domain == "")
    function = helper.make_function(
        QUANT_DOMAIN, "Quant", ["x", "scale", "zero", "bits"], ["y"], nodes, [helper.make_opsetid("", version)],
        attributes=["signed", "narrow", "rounding_mode"],
    )  # fmt: skip
    model.functions.append(function)
    whole: bytes = model.SerializeToString()
    return whole
