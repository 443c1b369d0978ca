"""Formats of modules of one's own: by error and not by range, each clipping rule, and what saturates is counted."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from quant.arithmetic.clipping import ACTIVATION_RULES, Scheme
from quant.arithmetic.grid import Grid, fixed_point_grid
from quant.networks.cell_layer import SeenRecurrence
from quant.networks.step import StepRoundings, Tensors
from quant.own.own_model import OwnModel
from quant.own.recurrence_formats import recurrence_formats
from quant.sites.candidate import homogeneous
from simulators.inputs.errors import InputError

Make = Callable[[], nn.Module]


def relative_error(module: nn.Module, x: torch.Tensor, scheme: Scheme | None = None) -> OwnModel:
    """The model whose error is what quantization changes in its result, in percent of its root mean square."""
    with torch.no_grad():
        exact = result_of(module.eval(), x)

    def error(quantized: nn.Module) -> float:
        changed = (result_of(quantized, x) - exact).double().square().mean()
        return 100.0 * float((changed / exact.double().square().mean().clamp_min(1e-60)).sqrt())

    return OwnModel(module, x, [x], error, data_digest="none", scheme=scheme)


def result_of(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = module(x)
    return y if isinstance(y, torch.Tensor) else y[0]


def errors(model: OwnModel) -> list[float]:
    return [model.evaluate(homogeneous(model.sites, bits)).error for bits in (16, 8, 4)]


def stretched(layer: nn.LSTM | nn.GRU, largest: float) -> nn.Module:
    """A recurrent layer of which one cell has a pre-activation as large as real networks have them."""
    with torch.no_grad():
        layer.bias_ih_l0[0] = largest
        layer.bias_ih_l0[layer.hidden_size + 1] = -largest
    return layer


@pytest.mark.slow
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_one_large_sum_before_a_gate_does_not_cost_the_others_their_fraction(kind: type[nn.LSTM | nn.GRU]) -> None:
    torch.manual_seed(0)
    x = torch.randn(30, 4, 12)
    plain, large = (relative_error(stretched(kind(12, 24), at), x) for at in (1.0, 714.0))
    assert large._formats.results["gru.W0" if kind is nn.GRU else "lstm.W0"].step <= 2.0**-9  # the range takes 2^-5
    assert errors(plain)[0] < 0.05
    assert errors(large)[0] < 0.15


def test_a_result_that_only_a_sigmoid_reads_is_clipped_where_that_is_flat() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(8, 8)
    with torch.no_grad():
        layer.bias[0] = 714.0
    x = torch.randn(50, 8)
    gate, other = relative_error(nn.Sequential(layer, nn.Sigmoid()), x), relative_error(nn.Sequential(layer), x)
    assert gate._formats.results["0"].step < 2.0**-9
    assert other._formats.results["0"].step == 2.0**-5
    (site,) = gate.evaluate(homogeneous(gate.sites, 16)).saturation
    assert site.results == pytest.approx(1 / 8)  # one of eight, on purpose


@pytest.mark.parametrize(
    ("weights", "activations"), [(1e-5, 1.0), (1.0, 1e-4), (1e-5, 1e-4), (1e-7, 1e-7), (30.0, 90.0)]
)
@pytest.mark.parametrize("make", [
    lambda: nn.Linear(16, 12), lambda: nn.Sequential(nn.Linear(16, 12, bias=False), nn.ReLU(), nn.Linear(12, 4)),
    lambda: nn.Sequential(nn.Conv1d(16, 8, 3, padding=1, bias=False)),
])  # fmt: skip
def test_more_bits_are_not_worse_at_any_scale(make: Make, weights: float, activations: float) -> None:
    torch.manual_seed(0)
    module = make()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(weights / parameter.abs().max())
    found = errors(relative_error(module, activations * torch.randn(16, 16)))
    assert found == sorted(found)
    assert found[0] < 0.05


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10**6), weights=st.sampled_from([1e-5, 1e-2, 1.0, 10.0]),
    activations=st.sampled_from([1e-4, 1e-2, 1.0, 100.0]), kind=st.sampled_from([nn.LSTM, nn.GRU]),
)  # fmt: skip
def test_more_bits_are_not_worse_for_recurrent_layers(
    seed: int, weights: float, activations: float, kind: type[nn.LSTM | nn.GRU]
) -> None:
    torch.manual_seed(seed)
    layer = kind(6, 8)
    with torch.no_grad():
        layer.weight_ih_l0.mul_(weights)
    wide, byte, nibble = errors(relative_error(layer, activations * torch.randn(4, 3, 6)))
    assert wide <= byte + 1e-3
    assert byte <= 1.5 * nibble + 1e-3
    # Sums of 1,500 leave 16 bits a step of a twentieth: what they lose there, 8 bits lose many times.
    assert wide < max(0.5, byte / 16)


def test_a_recurrent_bias_that_is_added_before_a_gate_has_room() -> None:
    """Products and states of this GRU stay below a half, the recurrent product with its bias does not."""
    torch.manual_seed(531707)
    layer = nn.GRU(6, 8)
    with torch.no_grad():
        layer.weight_ih_l0.mul_(1e-2)
    model = relative_error(layer, 1e-2 * torch.randn(4, 3, 6))
    assert 2.0**15 * model._formats.results["gru.U0"].step == 1.0
    wide, byte, _ = errors(model)
    assert wide < byte / 4


def test_each_rule_of_activations_clips_where_it_says() -> None:
    layer = nn.Linear(4, 3)
    x = torch.cat((torch.linspace(-1, 1, 3999), torch.tensor([8.0]))).view(-1, 4)
    seen = [x[:500], x[500:], x[:250]]
    thresholds = {}
    for rule in ACTIVATION_RULES:
        model = OwnModel(layer, x[:1], seen, lambda m: 0.0, data_digest="none", scheme=Scheme(activations=rule))
        thresholds[rule] = 7 * model._formats.inputs["linear"][4].step
        assert model.digest.endswith("" if rule == "mse" else f"activations={rule}")
    assert thresholds["max"] == pytest.approx(8.0)
    assert thresholds["percentile"] == pytest.approx(1.0, abs=0.01)
    assert thresholds["median"] == pytest.approx(1.0, abs=1e-3)  # of 1, 8 and 1
    changed = relative_error(layer, x).with_scheme(Scheme(activations="max"))
    assert 7 * changed._formats.inputs["linear"][4].step == pytest.approx(8.0)


def test_what_saturates_at_run_time_is_counted() -> None:
    torch.manual_seed(0)
    layer, x = nn.Sequential(nn.Linear(8, 8)), torch.randn(40, 8)

    def error(module: nn.Module) -> float:
        module(10 * x)
        return 0.0

    model = OwnModel(layer, x, [x], error, data_digest="none")
    bits = {"0": (16, 16)}
    (site,) = model.evaluate(bits).saturation
    grid = model._formats.inputs["0"][16]
    beyond = (10 * x / grid.step).round()
    assert site.inputs == int(((beyond < grid.lowest) | (beyond > grid.highest)).sum()) / beyond.numel() > 0.3
    results = model._formats.results["0"]
    with torch.no_grad():
        y = nn.functional.linear(grid.round(10 * x), model._values("0", 16), layer[0].bias) / results.step
    assert site.results == int(((y.round() < results.lowest) | (y.round() > results.highest)).sum()) / y.numel() > 0
    assert (site.site, site.states) == ("0", 0.0)
    quiet = relative_error(layer, x)
    assert max(quiet.evaluate(bits).saturation[0].inputs, quiet.evaluate(bits).saturation[0].results) == 0


def test_a_step_for_each_row_is_taken_where_the_scheme_says() -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(8, 16, 5)
    with torch.no_grad():
        conv.weight.mul_(torch.logspace(-2, 0, 16)[:, None, None])
    model = relative_error(nn.Sequential(conv), torch.randn(1, 8, 60))
    by_row = model.with_scheme(Scheme(per_channel=True))
    bits = {"0": (4, 16)}
    assert by_row.evaluate(bits).error < model.evaluate(bits).error
    assert by_row.digest != model.digest
    assert model.evaluate(bits) == model.evaluate(bits)


def test_what_is_no_number_at_run_time_is_named() -> None:
    model = OwnModel(
        nn.Sequential(nn.Linear(4, 4)), torch.ones(1, 4), [torch.ones(1, 4)], data_digest="none",
        error=lambda module: float(module(torch.full((1, 4), float("nan"))).sum()),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"^0: inputs are no numbers"):
        model.evaluate({"0": (8, 8)})


class WrittenOut(nn.Module):
    """A gated cell as users write one: the sums of two products, cut into gates."""

    def __init__(self) -> None:
        super().__init__()
        self.ih, self.hh, self.extra = nn.Linear(8, 12), nn.Linear(6, 12), nn.Linear(8, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(x.shape[1], 6)
        for frame in x:
            z, n = (self.ih(frame) + self.hh(h)).chunk(2, -1)
            z = torch.sigmoid(z)
            h = z * h + (1 - z) * torch.tanh(n)
        return h + self.extra(x[-1])


def test_sums_that_only_gates_read_are_clipped_where_no_term_can_bring_them_back() -> None:
    torch.manual_seed(0)
    module, x = WrittenOut(), torch.randn(10, 5, 8)
    with torch.no_grad():
        module.ih.bias[0], module.extra.bias[0] = 714.0, 714.0
    model = relative_error(module, x)
    assert {*model._trace.flat_readers()} == {"ih", "hh"}
    assert model._trace.flat_readers()["ih"].beside == ("hh",)
    reach = 2.0**15 * model._formats.results["ih"].step
    assert 32 < reach <= 64  # hh stays below 32
    assert 2.0**15 * model._formats.results["extra"].step == 1024
    assert model.evaluate(homogeneous(model.sites, 16)).error < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_inputs_that_only_saturate_gates_do_not_cost_small_ones_their_fraction(kind: type[nn.LSTM | nn.GRU]) -> None:
    """As power spectra have them: a few values a thousand times the others, behind large weights."""
    torch.manual_seed(0)
    x = 1e-3 * torch.randn(40, 4, 8)
    x[5, 0, 0] = 8.0
    layer = kind(8, 16)
    with torch.no_grad():
        layer.weight_ih_l0.mul_(300)
    model = relative_error(layer, x)
    name = f"{type(layer).__name__.lower()}.W0"
    assert 2.0**15 * model._formats.inputs[name][16].step < 8.0
    (wide, byte, _), by_range = errors(model), 2.0**-12
    model._formats.inputs[name][16] = Grid(16, by_range, -(2**15), 2**15 - 1)  # type: ignore[index]
    assert wide < 0.9 * model.evaluate(homogeneous(model.sites, 16)).error
    assert wide < byte


def test_a_term_of_a_state_may_be_larger_than_every_state() -> None:
    def step(u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, before: Tensors, held: StepRoundings) -> Tensors:
        return (held.memory(u) - 0.4,)  # a term of 0.8 leaves a state of 0.4

    u, before = torch.full((3, 1, 1), 0.8), (torch.full((3, 1, 1), 0.4),)
    inputs = fixed_point_grid(1.0)
    seen = SeenRecurrence(step, ("W", "U"), u, torch.ones(1, 1), u, torch.zeros(3, 1, 1), torch.zeros(1), before)
    memory = recurrence_formats(("W", "U"), [seen], inputs).memory
    assert float(memory.round(torch.tensor(0.8))) == pytest.approx(0.8, abs=memory.step)
