"""Functions of torch, many to a module: the graph computes what each of them does."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from graph_runs import in_float
from torch import nn
from torch.nn import functional

from quant import load
from quant.graphs.torch_programs.exporting import graph_of_module
from simulators.inputs.errors import InputError

Function = Callable[[torch.Tensor], torch.Tensor]


def maps(x: torch.Tensor) -> torch.Tensor:
    """x (1, 8, 6) as maps (1, 3, 4, 4)."""
    return x.reshape(1, 3, 4, 4)


def with_first_zero(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[:, 0] = 0.0
    y[:, 2:4] = x[:, :2]
    y[:, -1] = 1.0
    return y


GROUPS: dict[str, tuple[Function, ...]] = {
    "axes": (
        lambda x: x.mT, lambda x: x[0].T, lambda x: x.swapaxes(1, 2), lambda x: x.movedim(1, 2), torch.ravel,
        lambda x: x.swapdims(0, 1), lambda x: torch.rot90(x, 1, (1, 2)), lambda x: x.unflatten(-1, (2, 3)),
        lambda x: torch.roll(x, 3, 1), lambda x: torch.roll(x, (1, -2), (1, 2)), lambda x: x.unfold(1, 3, 2),
        lambda x: x.tile(1, 2, 1), lambda x: x.repeat_interleave(2, 1), lambda x: torch.hstack((x, x)),
        lambda x: torch.dstack((x, x)), lambda x: torch.column_stack((x, x)), lambda x: torch.vstack((x, 2 * x)),
        lambda x: torch.tensor_split(x, 3, 1)[1], lambda x: x[:, :1].expand_as(x), lambda x: x.view_as(x),
    ),
    "chosen": (
        lambda x: x.max(1).values, lambda x: x.min(1)[0], lambda x: x.topk(2, -1).values,
        lambda x: x.sort(-1, descending=True).values, lambda x: x.aminmax(dim=1).max, lambda x: x / x.max(),
        lambda x: x - x.min(), lambda x: x[:, [0, 2, -1]], lambda x: x[:, [0, 1], [2, -1]],
        lambda x: x.gather(1, torch.tensor([[[0, 3, 1, 1, 0, 7]]])), with_first_zero,
        lambda x: torch.take_along_dim(x, torch.zeros(1, 8, 1, dtype=torch.long), 2), lambda x: x.masked_fill(x > 0, 2.0),
        lambda x: torch.where((x > 0) & (x < 1) | ~(x > -0.5), x, 0.1 * x), lambda x: x * (x > 0).any(1, keepdim=True),
        lambda x: x * (x > -99).all(), lambda x: functional.one_hot(x.argmax(-1), 6).float() * x,
        lambda x: torch.nan_to_num(x), lambda x: torch.where(torch.isnan(x), 0.0, x),
    ),
    "functions": (
        torch.expm1, torch.exp2, lambda x: torch.log2(x.abs() + 1), lambda x: torch.log10(x.abs() + 1), torch.erfc,
        lambda x: torch.trunc(3 * x), lambda x: torch.frac(3 * x), lambda x: torch.remainder(x, 0.7),
        lambda x: torch.fmod(x, 0.7), lambda x: x // 0.5, lambda x: torch.atan2(x, x.roll(1, 1)),
        lambda x: torch.hypot(x, x + 1), torch.deg2rad, torch.sinc, torch.sgn, lambda x: x.abs() ** x, lambda x: 2**x,
        lambda x: torch.logaddexp(x, 2 * x), lambda x: torch.clamp(x, -torch.ones(6), torch.ones(6)),
        lambda x: torch.clamp(x, max=0.3), lambda x: torch.lerp(x, 2 * x, 0.3), lambda x: torch.atan(x) + torch.sinh(x),
        lambda x: torch.addcmul(x, x, x, value=0.5), lambda x: torch.addcdiv(x, x, x.abs() + 1),
        lambda x: torch.logit(torch.sigmoid(x)), lambda x: torch.minimum(x, -x), lambda x: torch.float_power(x, 2).float(),
    ),
    "activations": (
        functional.celu, functional.hardshrink, functional.softshrink, functional.tanhshrink, lambda x: functional.softmin(x, 1),
        lambda x: functional.threshold(x, 0.1, 0.0), lambda x: functional.softplus(x, 2.0),
        lambda x: functional.rrelu(x, 0.1, 0.3, False), lambda x: functional.smooth_l1_loss(x, 2 * x, reduction="none"),
        lambda x: functional.normalize(x, dim=-1), lambda x: functional.cosine_similarity(x, x.roll(1, 1), dim=-1),
        lambda x: functional.pairwise_distance(x, 2 * x), lambda x: x.norm(dim=-1), lambda x: torch.linalg.norm(x, dim=1),
    ),
    "sums": (
        lambda x: x.prod(-1), lambda x: x.diff(dim=1), lambda x: torch.std_mean(x, 1)[0], lambda x: torch.var_mean(x, 1)[1],
        lambda x: x.std(1), lambda x: torch.bmm(x, x.mT), lambda x: torch.baddbmm(x[:, :, :1], x, x.mT),
        lambda x: torch.mv(x[0], torch.ones(6)), lambda x: torch.dot(x[0, 0], x[0, 1])[None], torch.Tensor.sum,
        lambda x: torch.addmv(x[0, :, 0], x[0], x[0, 0]), lambda x: torch.outer(x[0, 0], x[0, 1]),
        lambda x: torch.tensordot(x, torch.ones(6, 3), 1), lambda x: torch.kron(x[0], x[0, :2, :2]),
        lambda x: torch.cdist(x, 2 * x), lambda x: torch.meshgrid(x[0, 0], x[0, 1], indexing="ij")[0],
        lambda x: x + torch.arange(6), lambda x: x + torch.full_like(x, 2.0), lambda x: x + x.new_ones(6),
        lambda x: x + torch.sin(torch.arange(8)[None, :, None] / 10.0), lambda x: x @ torch.eye(6),
        lambda x: x * torch.linspace(0, 1, 6), lambda x: x * torch.hann_window(6),
    ),
    "maps": (
        lambda x: functional.interpolate(x, scale_factor=2.0),
        lambda x: functional.interpolate(x, scale_factor=1.5, mode="linear"),
        lambda x: functional.interpolate(maps(x), size=(8, 6), mode="bilinear"),
        lambda x: functional.interpolate(maps(x), size=(7, 7), mode="bilinear", align_corners=True),
        lambda x: functional.interpolate(maps(x), scale_factor=2.0, mode="bicubic"),
        lambda x: functional.unfold(maps(x), 2), lambda x: functional.pixel_unshuffle(maps(x), 2),
        lambda x: functional.pixel_shuffle(x.reshape(1, 4, 3, 4), 2), lambda x: functional.lp_pool1d(x, 2, 2),
        lambda x: functional.adaptive_avg_pool1d(x.reshape(1, 6, 8), 3), lambda x: functional.adaptive_avg_pool2d(maps(x), (3, 2)),
        lambda x: functional.adaptive_max_pool1d(x.reshape(1, 8, 6), 3), lambda x: functional.adaptive_max_pool2d(maps(x), (3, 1)),
        lambda x: functional.max_pool1d(x, 2, return_indices=True)[0],
    ),
}  # fmt: skip


class Group(nn.Module):
    """Functions of x, one after the other in a row."""

    def __init__(self, functions: tuple[Function, ...]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(function(x) for function in self.functions)


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS)
def test_a_graph_computes_what_each_does(name: str) -> None:
    x = torch.randn(1, 8, 6, generator=torch.Generator().manual_seed(len(name)))
    group = Group(GROUPS[name])
    graph = graph_of_module(group, {"x": x}, name)
    expected, (found, _) = group(x), in_float(graph, {"x": x.numpy()})
    assert len(expected) == len(graph.outputs)
    for number, (right, output) in enumerate(zip(expected, graph.outputs, strict=True)):
        assert found[output].shape == right.shape, number
        np.testing.assert_allclose(found[output], right, atol=2e-6, rtol=1e-5, err_msg=str(number))


@pytest.mark.parametrize(
    ("function", "rule"),
    [
        (lambda x: x[x > 0], "mask"),
        (lambda x: functional.conv3d(x.reshape(1, 1, 2, 4, 6), torch.ones(1, 1, 1, 1, 1)), "over three dimensions"),
        (lambda x: x.cummax(1).values, "aten.cummax.default: no translation of this operator is known"),
    ],
)
def test_what_is_not_translated_is_said_by_its_name(function: Function, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        graph_of_module(Group((function,)), {"x": torch.randn(1, 8, 6)}, "group")


class Nested(nn.Module):
    """What it leaves has names, and a place without a value."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(6, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        y, h = self.gru(x)
        return {"a": y, "b": (h, None)}


def test_results_with_names_and_doubles_of_numpy() -> None:
    x = np.random.default_rng(1).normal(size=(1, 8, 6))
    model = load(Nested(), [{"x": x}])
    assert len(model.graph.outputs) == 2
    assert model.outputs(None)[0].dtype is torch.float32
