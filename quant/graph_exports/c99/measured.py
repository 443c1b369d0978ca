"""A network's header of C, compiled and run beside the evaluation of its candidate."""

import shutil
import subprocess
import tempfile
from math import prod
from pathlib import Path

import numpy as np
import torch

from quant.graph_exports.c99.network_header import Argument, NetworkHeader
from quant.graph_exports.measured_deviation import Deviation, deviation_of
from quant.graphs.graph_data import GivenUtterance
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import Bits
from simulators.inputs.errors import InputError

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off")


def measured_deviation(header: NetworkHeader, model: GraphModel, bits: Bits) -> tuple[Deviation, int] | None:
    """How far the compiled header is from `GraphModel.outputs`, and over how many utterances: those whose calls have
    its sizes. None without a compiler. Raises InputError for what does not compile or run."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(header, Path(folder), compiler, *FLAGS, state=model.data.settings.state)
        wanted = {x.name: x.shape for x in header.inputs}
        pairs = []
        for utterance, right in zip(model.data.utterances, model.outputs(bits), strict=True):
            calls = list(model.data.calls(utterance))
            if all(tuple(call[name].shape) == shape for call in calls for name, shape in wanted.items()):
                pairs.append((run(program, header, model, utterance), right))
    return deviation_of(pairs), len(pairs)


def compiled(
    header: NetworkHeader, folder: Path, compiler: str, *flags: str, state: dict[str, str] | None = None
) -> Path:
    """A program that reads calls and writes what the network makes of them. Raises InputError with the compiler's first
    line."""
    (folder / "network.h").write_text(header.text)
    (folder / "main.c").write_text(_main(header, state or {}))
    command = [compiler, *flags, "-o", str(folder / "network"), str(folder / "main.c"), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:200])
        raise InputError(f"{compiler} does not compile what was written: {first}")
    return folder / "network"


def run(program: Path, header: NetworkHeader, model: GraphModel, utterance: GivenUtterance) -> torch.Tensor:
    """The judged output of an utterance, of all its calls in a row. Raises InputError for a program that fails."""
    calls = list(model.data.calls(utterance))
    parts = []
    for number, call in enumerate(calls):
        parts.append(np.float32(number == 0).tobytes())
        parts += [call[x.name].contiguous().float().numpy().tobytes() for x in header.inputs]
    done = subprocess.run([program], input=b"".join(parts), capture_output=True, check=False)
    sizes = [prod(x.shape) for x in header.outputs]
    made = np.frombuffer(done.stdout, np.float32)
    if done.returncode or made.size != len(calls) * sum(sizes):
        told = done.stderr.decode(errors="replace")[:200]
        raise InputError(f"what was written, compiled, ends with {done.returncode}: {told}")
    judged = [x.name for x in header.outputs].index(model.data.settings.output or model.graph.outputs[0])
    first = sum(sizes[:judged])
    of_calls = made.reshape(len(calls), -1)[:, first : first + sizes[judged]]
    shaped = [torch.from_numpy(row.copy()).reshape(header.outputs[judged].shape) for row in of_calls]
    return shaped[0] if len(shaped) == 1 else torch.stack(shaped)


def _main(header: NetworkHeader, state: dict[str, str]) -> str:
    by_name = {x.name: x for x in (*header.inputs, *header.outputs)}

    def array(x: Argument) -> str:
        return f"static float {x.c_name}[{max(1, prod(x.shape))}];"

    def moved(function: str, x: Argument, file: str) -> str:
        return f"{function}({x.c_name}, sizeof(float), {prod(x.shape)}, {file})"

    reads = "\n        ".join(f"if ({moved('fread', x, 'stdin')} != {prod(x.shape)}) return 1;" for x in header.inputs)
    states = "\n        ".join(
        f"if (first == 0.0f) memcpy({by_name[name].c_name}, {by_name[source].c_name}, sizeof {by_name[name].c_name});"
        for name, source in state.items()
        if name in by_name and source in by_name
    )
    writes = "\n        ".join(
        f"if ({moved('fwrite', x, 'stdout')} != {prod(x.shape)}) return 1;" for x in header.outputs
    )
    arguments = ", ".join(x.c_name for x in (*header.inputs, *header.outputs))
    arrays = "\n".join(array(x) for x in (*header.inputs, *header.outputs))
    return f"""\
#include <stdio.h>
#include <string.h>
#include "network.h"
{arrays}
static {header.prefix}_scratch scratch;
int main(void)
{{
    float first;
    while (fread(&first, sizeof first, 1, stdin) == 1) {{
        {reads}
        {states}
        {header.prefix}_run({arguments}, &scratch);
        {writes}
    }}
    return 0;
}}
"""
