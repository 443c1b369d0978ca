"""A network from a file as C: compiled as strictly as C can be, it computes what the candidate's evaluation does."""

import random
import re
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_modules import Cells, Everything, Maps, Streaming

from quant import Scheme, load
from quant.graph_exports.c99.c_program import CProgram
from quant.graph_exports.c99.copies import Numbered, moved
from quant.graph_exports.c99.measured import FLAGS, compiled, run
from quant.graph_exports.c99.network_header import network_header
from quant.graph_exports.graph_writing import export_network
from quant.graphs.data_settings import DataSettings
from quant.graphs.graph_model import GraphModel
from simulators.inputs.errors import InputError

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
STRICT = (*FLAGS, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsanitize=address,undefined")


class Separable(nn.Module):
    """A depthwise-separable network over spectrograms, as keyword spotters are: x (B, 1, T, F) to (B, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 6, (5, 3), stride=(2, 1), padding=(2, 1)), nn.BatchNorm2d(6)
        self.deep, self.point = nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Conv2d(6, 8, 1)
        self.out = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = nn.functional.hardswish(self.point(nn.functional.relu6(self.deep(x))))
        return torch.log_softmax(self.out(nn.functional.max_pool2d(x, 2, ceil_mode=True).mean((2, 3))), -1)


class Attending(nn.Module):
    """Attention over frames, with heads, and what surrounds it: x (B, T, 8) to (B, T, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out, self.norm = nn.Linear(8, 24), nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
        y = torch.softmax(q @ k.transpose(2, 3) / 2, -1) @ v
        return x + self.out(nn.functional.gelu(y.transpose(1, 2).reshape(b, t, 8)))


class Stacked(nn.Module):
    """A causal convolution by padding, residuals and gates, as in temporal convolutional networks: x (B, 4, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.ModuleList(nn.Conv1d(4, 8, 3, dilation=2**i) for i in range(3))
        self.back, self.norm = nn.ConvTranspose1d(4, 4, 4, stride=2, padding=1), nn.GroupNorm(2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, conv in enumerate(self.deep):
            a, b = conv(nn.functional.pad(x, (2 * 2**i, 0))).chunk(2, 1)
            x = self.norm(x + torch.tanh(a) * torch.sigmoid(b))
        return torch.cat((self.back(x)[..., ::2], x.flip(2), x[..., :1].expand(-1, -1, 3)), -1)


class Recurrent(nn.Module):
    """Two layers, both ways, and a plain recurrence: x (B, T, 5) to (B, T, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.lstm, self.rnn = nn.LSTM(12, 4, batch_first=True), nn.RNN(4, 8, nonlinearity="relu", batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(self.lstm(self.gru(x)[0])[0])[0]


class Masked(nn.Module):
    """Attention to what came before, and elements that are assigned to: x (B, T, 8) to (B, T, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(8, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.enter(x).chunk(3, -1)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        y[:, 0] = 1.0
        return y


def values(*sizes: int) -> torch.Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(sum(sizes)))


def made(module: type[nn.Module], *shapes: tuple[int, ...], **settings: object) -> GraphModel:
    torch.manual_seed(1)
    return load(module().eval(), [{"x": factor * values(*shapes[0])} for factor in (1, 0.7)], **settings)


CASES = {
    "separable": (Separable, (1, 1, 12, 7)), "attending": (Attending, (1, 9, 8)), "stacked": (Stacked, (1, 4, 20)),
    "recurrent": (Recurrent, (1, 11, 5)), "everything": (Everything, (1, 9, 6)), "cells": (Cells, (5, 1, 4)),
    "masked": (Masked, (1, 6, 8)), "maps": (Maps, (1, 2, 19, 17)), "batch": (Recurrent, (3, 4, 5)),
}  # fmt: skip


def far_from(model: GraphModel, bits: str, folder: Path, *flags: str) -> float:
    """The root mean square of what the compiled header is off, by that of what it should be."""
    candidate = model.parse_bits(bits)
    header = network_header(model, candidate)
    assert COMPILER is not None
    program = compiled(header, folder, COMPILER, *flags, state=model.data.settings.state)
    right = model.outputs(candidate)
    found = [run(program, header, model, utterance) for utterance in model.data.utterances]
    wrong = sum(float((a.double() - b.double()).square().sum()) for a, b in zip(found, right, strict=True))
    whole = sum(float(b.double().square().sum()) for b in right)
    assert whole > 0
    return float((wrong / whole) ** 0.5)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_evaluation_does(name: str, tmp_path: Path) -> None:
    module, shape = CASES[name]
    model = made(module, shape)
    assert far_from(model, "8", tmp_path, *STRICT) < 1e-6
    assert far_from(model, "2x16", tmp_path, *FLAGS) < 1e-4  # a last bit of 16 is another now and then


@pytest.mark.slow
@needs_compiler
def test_a_step_for_each_channel_and_each_way_to_hold_a_gate(tmp_path: Path) -> None:
    torch.manual_seed(4)
    data = [{"x": values(1, 11, 5)}]
    model = load(Recurrent().eval(), data, Scheme(per_channel=True))
    assert far_from(model, "4x8", tmp_path, *STRICT) < 1e-6


@pytest.mark.slow
@needs_compiler
def test_state_is_handed_from_call_to_call(tmp_path: Path) -> None:
    torch.manual_seed(2)
    settings = DataSettings.model_validate(
        {"chunks": {"x": {"axis": 0, "length": 3}}, "state": {"h": "v4"}, "hop_ms": 10.0}
    )
    module = Streaming().eval()
    model = load(module, [{"x": values(12, 1, 4), "h": torch.zeros(1, 1, 6)}], settings=settings)
    header = network_header(model, model.parse_bits("8"))
    assert "before the next call of an utterance, copy out_v4 to in_h" in header.text
    assert far_from(model, "8", tmp_path, *STRICT) == 0.0


@pytest.mark.slow
def test_arrays_that_are_needed_at_different_times_share_memory() -> None:
    """A chain of layers needs the memory of two of them, not of all."""
    torch.manual_seed(0)
    model = load(nn.Sequential(*(nn.Linear(64, 64) for _ in range(9))).eval(), [{"input": values(1, 64)}])
    text = network_header(model, model.parse_bits("8")).text
    assert "float values[128];" in text


@needs_compiler
def test_the_command_says_how_far_it_is_and_writes_a_header(tmp_path: Path) -> None:
    model = made(Separable, (1, 1, 12, 7))
    told = export_network("c", model, model.parse_bits("8"), tmp_path / "out")
    assert "for calls of x [1, 1, 12, 7]; compiled equal to the candidate's evaluation, bit for bit" in told
    assert (tmp_path / "out" / "model.h").read_text().startswith("/* A quantized network, written by mohaq export")


def test_names_end_no_comment_and_are_names_of_c() -> None:
    model = made(Separable, (1, 1, 12, 7))
    model.name = "a*/b é\n#define x"
    text = network_header(model, model.parse_bits("8")).text
    assert "a*?b" in text
    assert "a_b_define_x_run(" in text


class Changing(nn.Module):
    """What C has not: places that the data decide."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.out(x)
        return y[:, 0].argmax(-1) + y.mean()


def test_what_is_not_written_is_said_by_its_node() -> None:
    model = made(Changing, (2, 3, 4))
    with pytest.raises(InputError, match=r"node \S+ \(ArgMax\): this operation cannot be written as C"):
        network_header(model, model.parse_bits("8"))


@pytest.mark.parametrize("seed", range(40))
def test_elements_are_copied_to_where_they_belong(seed: int) -> None:
    """Random moves of random tensors, against the same move of values; the loops are run as Python's."""
    draw = random.Random(seed)
    shape = [draw.randint(1, 4) for _ in range(draw.randint(1, 4))]
    x, y = torch.rand(shape), torch.rand(shape)
    program = CProgram()
    views = [program.named("x", tuple(shape)), program.named("y", tuple(shape))]
    numbered = Numbered(views)

    def move(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        draw = random.Random(seed)
        axis = draw.randrange(len(shape))
        parts = [
            torch.cat((a, b.flip(axis)), axis),
            a.transpose(axis, -1),
            b.roll(1, axis),
            a.repeat(2, *[1] * len(shape)),
        ]
        z = draw.choice(parts)
        z = nn.functional.pad(z, (draw.randint(0, 2), draw.randint(0, 2)))
        return z[..., :: draw.choice((1, 2))]

    numbers = move(*numbered.tensors())
    found = moved(program, numbered, numbers, 0.0)
    memory = {"x": x.flatten().tolist(), "y": y.flatten().tolist(), "values": [0.0] * program.scratch_elements}
    for line in program.constants:
        name, numbers_of_it = re.search(r"(\w+)\[\d+\] = \{(.*)\};", line.replace("\n", " ")).groups()
        memory[name] = [int(word) for word in numbers_of_it.split(",")]
    for statement in program.statements:
        exec(_as_python(statement), memory)
    program.add(found.text)
    name, first = re.fullmatch(r"\(?(\w+)(?: \+ (\d+)\))?", program.statements[-1]).groups()
    there = memory[name][int(first or 0) :][: found.size]
    assert torch.equal(torch.tensor(there).view(found.shape), move(x, y))


def _as_python(statement: str) -> str:
    """Loops of C that copy elements, as Python's."""
    lines = []
    for line in statement.splitlines():
        loop = re.fullmatch(r"( *)for \(int (\w+) = 0; \w+ < (\d+); \w+\+\+\)", line)
        text = f"{loop[1]}for {loop[2]} in range({loop[3]}):" if loop else line.rstrip(";").replace("0.0f", "0.0")
        lines.append(re.sub(r"\((\w+) \+ (\d+)\)\[", r"\1[\2 + ", text))
    return "\n".join(lines)
