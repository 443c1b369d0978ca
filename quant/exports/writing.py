"""Writes a quantized recogniser in a format by its name: whole or not at all."""

from collections.abc import Callable, Mapping
from pathlib import Path

from quant.arithmetic.weights import QuantizedWeights
from quant.exports.c_header import c_header
from quant.exports.integer_program import IntegerProgram, integer_program
from quant.exports.onnx_model import qdq_model, qonnx_model
from quant.files.checkpoint import Checkpoint
from quant.sites.candidate import Bits
from simulators.inputs.errors import InputError
from simulators.inputs.files import check_target, with_folder, write_output

OWN_FORMAT = "mohaq"
"""Name of the format that this project loads back: `quant.files.export`."""


def _c(program: IntegerProgram) -> bytes:
    return c_header(program).encode()


_WRITERS: Mapping[str, tuple[str, Callable[[IntegerProgram], bytes]]] = {
    "c": (".h", _c),
    "qdq": (".onnx", qdq_model),
    "qonnx": (".onnx", qonnx_model),
}
"""The ending of a format's file, and what makes its content."""

FORMATS = (OWN_FORMAT, *_WRITERS)
_ENDINGS = {".c", ".json", ".safetensors", *(suffix for suffix, _ in _WRITERS.values())}
"""Names that end so are meant as files."""


def check_export(name: str, output: Path) -> None:
    """Raise InputError for a format that there is not, and for an output that ends as files of another one do."""
    if name not in FORMATS:
        raise InputError(f"--format {name}: it must be one of {', '.join(FORMATS)}")
    own = _WRITERS[name][0] if name in _WRITERS else ""
    if output.suffix in _ENDINGS and output.suffix != own and not output.is_dir():
        wanted = f"a folder, or a file that ends in {own}" if own else "a folder"
        raise InputError(f"--out {output}: --format {name} writes {wanted}")


def exported_file(name: str, output: Path) -> Path:
    """The file that a format other than this project's own writes: `output` if it ends as such a file does, else one
    in a folder of that name."""
    suffix, _ = _WRITERS[name]
    return output if output.suffix == suffix else output / f"model{suffix}"


def export_as(name: str, checkpoint: Checkpoint, weights: QuantizedWeights, bits: Bits, output: Path) -> Path:
    """Write a candidate of a checkpoint in a format other than this project's own, and return the file. Raises
    InputError for a bad candidate, for what the format cannot say, and where the file cannot be written; nothing is
    left behind then."""
    _, content = _WRITERS[name]
    file = exported_file(name, output)
    written = content(integer_program(checkpoint, weights, bits))
    if file == output:
        write_output(file, written)
        return file
    with with_folder(output):
        check_target(file)
        write_output(file, written)
    return file
