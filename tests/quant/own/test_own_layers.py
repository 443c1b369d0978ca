"""What stands for a layer is what computes like one: everything else is right as it is, or refused by its name; and the
module of the user stays as it was."""

import contextlib
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn

from quant.own.module_layers import layers_of
from quant.own.own_model import OwnModel
from quant.own.recurrent_layers import Recurrent
from quant.own.replaced_layers import replaced
from quant.own.roundings import Exactly
from quant.sites.candidate import homogeneous
from simulators.inputs.errors import InputError


class Doubling(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


class Named(nn.Linear):
    """A class of its own that computes as its base does."""


class Residual(nn.LSTM):
    def forward(self, x, hx=None):  # type: ignore[no-untyped-def]
        y, state = super().forward(x, hx)
        return y + x, state


class Shifted(nn.ReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x + 1.0)


class Odd(nn.Conv1d):
    def _conv_forward(self, x, weight, bias):  # type: ignore[no-untyped-def]
        return super()._conv_forward(x, 2 * weight, bias)


class Gate(nn.Module):
    """No parameters, no children: what it calls is traced."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x)


def patched() -> nn.Module:
    layer = nn.Linear(8, 8)
    plain = layer.forward
    layer.forward = lambda x: plain(x) + 1  # type: ignore[method-assign]
    return layer


def packed(_: nn.Module, x: torch.Tensor) -> nn.utils.rnn.PackedSequence:
    return nn.utils.rnn.pack_sequence([x[0], x[0, :3]])


def with_hook(layer: nn.Module, hook: Callable[..., object]) -> nn.Module:
    layer.register_forward_hook(hook)
    return layer


X = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))


def own(module: nn.Module, x: object = X) -> OwnModel:
    return OwnModel(module, x, [x], lambda m: 0.0, data_digest="none")  # type: ignore[arg-type,list-item]


class Packing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(packed(self, x))[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Sequential(Doubling(8, 8)), "0: Doubling: its forward is not that of Linear: what it computes"),
        (lambda: nn.Sequential(Residual(8, 8)), "0: Residual: its forward is not that of LSTM"),
        (lambda: nn.Sequential(Odd(8, 8, 3)), "0: Odd: its _conv_forward is not that of Conv1d"),
        (lambda: nn.Sequential(patched()), "0: Linear: its forward was replaced on the instance"),
        (lambda: nn.Sequential(nn.Linear(8, 8).half()), r"0: Linear: weight is float16: float32 is quantized"),
        (lambda: nn.Sequential(nn.Linear(8, 8).double()), r"0: Linear: weight is float64"),
        (lambda: nn.Sequential(nn.LazyLinear(8)), "0: LazyLinear: weight has no shape yet"),
        (lambda: nn.Sequential(nn.Linear(8, 8, device="meta")), "0: Linear: weight is on meta"),
        (Packing, "rnn: GRU: called with a packed sequence: it must be a tensor"),
        (
            lambda: nn.Sequential(nn.Linear(8, 8), nn.Sequential(with_hook(nn.ReLU(), lambda m, x, y: y.exp()))),
            r"1: torch\.Tensor\.exp: an operation that cannot be traced",
        ),
    ],
)
def test_what_is_no_plain_layer_is_named(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        own(make())


def test_torchscript_is_named() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Linear(8, 8))
    with pytest.raises(InputError, match=r"^0: RecursiveScriptModule: TorchScript cannot be traced"):
        own(nn.Sequential(scripted))


@pytest.mark.parametrize(("x", "message"), [
    (X.half(), "lin: Linear: its input is float16: float32 is quantized"),
    ({"y": X, "x": X.double()}, "lin: Linear: its input is float64"),
])  # fmt: skip
def test_inputs_of_another_precision_are_named(x: object, message: str) -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return self.lin(x)

    with pytest.raises(InputError, match="^" + message):
        own(One(), x)


def test_nothing_seen_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^own: seen: there are no inputs in it"):
        OwnModel(nn.Linear(8, 8), X, [], lambda m: 0.0)
    with pytest.raises(InputError, match=r"^linear: values that are not finite pass"):
        OwnModel(nn.Linear(8, 8), X, [X * float("nan")], lambda m: 0.0)


def test_what_no_input_reaches_is_one_line() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x) + self.b(x) if len(x) == 1 else self.a(x)

    with pytest.raises(InputError, match=r"^own: b: no input of `seen` passes through"):
        OwnModel(Branch(), X, [X.expand(2, 8, 8)], lambda m: 0.0)
    with pytest.raises(InputError, match=r"^own: b: the example does not pass through"):
        OwnModel(Branch(), X.expand(2, 8, 8), [X], lambda m: 0.0)


def error_at(module: nn.Module, bits: int, *inputs: object, seen: object = None) -> float:
    """Relative root mean square of what a width changes in a module's result, in percent."""
    arguments = inputs or (X,)
    exact = module.eval()(*arguments)
    exact = exact if isinstance(exact, torch.Tensor) else exact[0]

    def error(quantized: nn.Module) -> float:
        y = quantized(*arguments)
        y = y if isinstance(y, torch.Tensor) else y[0]
        return 100.0 * float((y - exact).square().mean().sqrt() / exact.square().mean().sqrt())

    model = OwnModel(module, arguments, [arguments], error, data_digest="none")
    assert model.evaluate(None).error == 0.0
    return model.evaluate(homogeneous(model.sites, bits)).error


def parametrized() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.ReLU())


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin, self.rnn = nn.Linear(8, 8), nn.LSTM(8, 8, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, state = self.rnn(input=self.lin(input=x), hx=None)
        return self.rnn(torch.tanh(self.lin(x)), state)[0]


class Started(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 6, 2, bidirectional=True)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return self.rnn(x, h)[0]


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (lambda: nn.Sequential(Named(8, 8), nn.Tanh()), ()),
        (lambda: nn.Sequential(nn.Linear(8, 8), Shifted(), Gate()), ()),
        (parametrized, ()),
        (lambda: nn.Sequential(with_hook(nn.Linear(8, 8), lambda m, x, y: y + 1.0)), ()),
        (Twice, ()),
        (Started, (X[0][:, None], 0.5 * torch.ones(4, 1, 6))),
        (lambda: nn.LSTM(8, 8, 2), (X[0],)),
        (lambda: nn.GRU(8, 8, 2, bidirectional=True, batch_first=True), (X[0],)),
    ],
)
def test_what_computes_like_a_layer_is_right(make: Callable[[], nn.Module], inputs: tuple[torch.Tensor, ...]) -> None:
    torch.manual_seed(1)
    module = make()
    with torch.no_grad():
        assert error_at(module, 16, *inputs) < 0.1
        assert 0.05 < error_at(module, 8, *inputs) < 5


def test_given_states_are_those_that_torch_starts_from() -> None:
    torch.manual_seed(0)
    x, h, c = torch.randn(5, 7, 12), *torch.randn(2, 4, 7, 6)
    for rnn, state in ((nn.LSTM(12, 6, 2, bidirectional=True), (h, c)), (nn.GRU(12, 6, 2, bidirectional=True), h)):
        for inputs, given in (
            (x, state),
            (x[:, 0], tuple(s[:, 0] for s in state) if type(state) is tuple else h[:, 0]),
        ):
            expected = rnn(inputs, given)
            with replaced(layers_of(rnn), Exactly()):
                found = rnn(inputs, given)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def snapshot(module: nn.Module) -> list[object]:
    return [
        (
            part.training, sorted(vars(part)), len(part._forward_hooks), len(part._forward_pre_hooks),
            [(name, id(p), p.requires_grad, p.clone(), p.grad) for name, p in part.named_parameters()],
        )
        for part in module.modules()
    ]  # fmt: skip


@pytest.mark.parametrize("fails", [False, True])
def test_the_users_module_stays_as_it_was(fails: bool) -> None:
    module = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2)).train()
    seen: list[int] = []
    module[0].register_forward_hook(lambda *_: seen.append(1))
    module[3].requires_grad_(False)
    before = snapshot(module)

    def error(quantized: nn.Module) -> float:
        assert quantized is not module
        assert not quantized.training
        if fails:
            raise ValueError("no")
        return float(quantized(X).square().mean())

    model = OwnModel(module, X, [X], error, data_digest="none")
    with contextlib.suppress(ValueError):
        model.evaluate(homogeneous(model.sites, 4))
    for one, other in zip(snapshot(module), before, strict=True):
        assert str(one) == str(other)
    assert seen  # the hook is the user's, and the copy's too
    with contextlib.suppress(ValueError):
        exact = model.evaluate(None)
        with torch.no_grad():
            module[0].weight.zero_()  # trained on, which the model does not see
        assert model.evaluate(None) == exact
    assert "forward" not in vars(model.module[0])  # type: ignore[index]


def test_recurrent_layers_of_ones_own_that_were_changed_are_named() -> None:
    class Changed(Recurrent):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return -super().forward(x)

    with pytest.raises(InputError, match=r"^0: Changed: its forward is not that of Recurrent"):
        own(nn.Sequential(Changed("sru", 8, 4)))
