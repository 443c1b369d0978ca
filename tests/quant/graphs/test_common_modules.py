"""Modules as users of torch write them: attention, normalised weights, norms, gates, transforms, products by index."""

import pytest
import torch
from graph_runs import in_float
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from quant.graphs.graph import Graph
from quant.graphs.graph_trace import GraphTrace
from quant.graphs.simplifying import simplified
from quant.graphs.torch_programs.exporting import graph_of_module
from simulators import Trace
from simulators.inputs.errors import InputError

FRAMES, WIDTH, HEADS = 20, 16, 2
torch.manual_seed(3)  # the modules of the cases are drawn where this file is read


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True), nn.Linear(WIDTH, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(x + self.attention(x, x, x, need_weights=False)[0])


class Scaled(nn.Module):
    """`is_causal`, or a mask of bool or of numbers."""

    def __init__(self, mask: torch.Tensor | None) -> None:
        super().__init__()
        self.enter, self.mask = nn.Linear(WIDTH, 3 * WIDTH), mask

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.enter(x).unflatten(-1, (3, HEADS, -1)).transpose(1, 3)
        q, k, v = parts.unbind(2)
        causal = self.mask is None
        return functional.scaled_dot_product_attention(q, k, v, self.mask, is_causal=causal).transpose(1, 2).flatten(2)


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c, self.d = weight_norm(nn.Conv1d(WIDTH, 8, 3, padding=1)), spectral_norm(nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.d(functional.leaky_relu(self.c(x.transpose(1, 2)), 0.1).transpose(1, 2))


class ByIndex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(0.3 * torch.randn(WIDTH, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.einsum("bti,ih->bth", x, self.w)
        weights = torch.einsum("bth, bsh -> bts", h, h).softmax(-1)
        return torch.einsum("bts,bsh->bth", weights, h)


class Spectrum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(24))
        self.out = nn.Linear(17, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.stft(x.flatten(1), 32, 16, 24, window=self.window, return_complex=True)
        return self.out((torch.log1p(y.abs()) + y.real - y.imag).transpose(1, 2))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c, self.d = (
            nn.Conv1d(WIDTH, WIDTH, 3, padding=2, dilation=2),
            nn.Conv1d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH),
        )
        self.group, self.instance = nn.GroupNorm(4, WIDTH), nn.InstanceNorm1d(WIDTH, affine=True)
        self.tracked, self.root = nn.InstanceNorm1d(WIDTH, track_running_stats=True), nn.RMSNorm(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.transpose(1, 2)
        y = y + functional.relu(self.group(self.c(y)))
        y = self.tracked(y + self.instance(self.d(y)))
        return self.root(y.transpose(1, 2))


class Gated(nn.Module):
    """A gated linear unit, squeeze and excitation, and pooling by mean and deviation."""

    def __init__(self) -> None:
        super().__init__()
        self.c, self.out = nn.Conv1d(WIDTH, 2 * WIDTH, 3, padding=1), nn.Linear(2 * WIDTH, 3)
        self.squeeze = nn.Sequential(nn.Linear(WIDTH, 4), nn.ReLU(), nn.Linear(4, WIDTH), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.glu(self.c(x.transpose(1, 2)), 1)
        y = y * self.squeeze(functional.adaptive_avg_pool1d(y, 1).squeeze(-1)).unsqueeze(-1)
        y = y.masked_fill(y.ne(y.abs()), -0.1).cumsum(-1)
        return self.out(torch.cat((y.mean(-1), y.std(-1, correction=0) + y.norm(dim=-1)), -1))


class Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.b, self.c = nn.Bilinear(WIDTH, 5, 4), nn.Bilinear(4, WIDTH, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(functional.relu(self.b(x, x[..., :5])), x)


CASES = {
    "encoder": nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True), "attention": Attention(),
    "causal": Scaled(None), "masked": Scaled((torch.rand(FRAMES, FRAMES) > 0.3) | torch.eye(FRAMES).bool()),
    "biased": Scaled(torch.randn(FRAMES, FRAMES)), "normalised": Normalised(), "by index": ByIndex(),
    "spectrum": Spectrum(), "residual": Residual(), "gated": Gated(),
    "bilinear": Bilinear(),
}  # fmt: skip


def computed(module: nn.Module, name: str = "x") -> tuple[Graph, GraphTrace]:
    """The graph computes what the module does, and has the module's fast paths as they were; graph and trace."""
    x = torch.randn(2, FRAMES, WIDTH)
    module.eval()
    graph = simplified(graph_of_module(module, {name: x}, "module"))
    with torch.no_grad():
        expected = module(x)
    outputs, trace = in_float(graph, {name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(outputs[graph.outputs[0]]), expected, atol=2e-5, rtol=1e-4)
    assert torch.backends.mha.get_fastpath_enabled()
    return graph, trace


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_graph_computes_what_the_module_does(name: str) -> None:
    torch.manual_seed(3)
    computed(CASES[name], "src" if name == "encoder" else "x")


def traced(module: nn.Module) -> Trace:
    _, trace = computed(module)
    sites = {getattr(record, "site", "") for record in trace.records}
    return trace.trace("module", dict.fromkeys(sites, (8, 8)))


@pytest.mark.slow
def test_what_they_cost_by_hand() -> None:
    products = 2 * 2 * FRAMES * FRAMES * WIDTH  # of two items: Q K and P V, over all heads
    assert traced(Attention()).macs == products + 2 * FRAMES * WIDTH * (4 * WIDTH + 3)
    assert traced(ByIndex()).macs == 2 * FRAMES * 8 * WIDTH + 2 * 2 * FRAMES * FRAMES * 8
    frames = FRAMES * WIDTH // 16 + 1
    assert traced(Spectrum()).macs == 2 * frames * (2 * 17 * 32 + 17 * 3)
    assert traced(Bilinear()).macs == 2 * FRAMES * (4 * 5 * WIDTH + 3 * WIDTH * 4)
    assert traced(Normalised()).macs == 2 * FRAMES * (8 * 3 * WIDTH + 8 * 3)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(WIDTH, 8, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(x, torch.tensor([FRAMES, 5]), batch_first=True)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]


class Phases(Spectrum):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.stft(x.flatten(1), 32, 16, 24, window=self.window, return_complex=True)
        return (y * y).abs()


@pytest.mark.parametrize(
    ("module", "rule"),
    [
        (Packed(), "module: torch.export cannot export it|rnn: a packed sequence cannot be translated"),
        (Phases(), "of complex numbers: no translation of this operator is known"),
    ],
)
def test_what_is_refused_is_named(module: nn.Module, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as raised:
        graph_of_module(module.eval(), {"x": torch.randn(2, FRAMES, WIDTH)}, "module")
    assert "\n" not in str(raised.value)
