"""What tells models of one's own apart: everything that decides an error, and nothing else."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from quant.arithmetic.clipping import Scheme
from quant.own.content_digest import content_digest
from quant.own.own_model import OwnModel
from search.evaluation.evaluator import errors_of
from search.evaluation.ledger import Ledger

X = torch.linspace(-1, 1, 32).view(4, 8)


class Scaled(nn.Module):
    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.lin, self.scale = nn.Linear(8, 8), scale
        self.register_buffer("shift", torch.zeros(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.lin(x) + self.shift


def scaled(scale: float = 1.0) -> Scaled:
    torch.manual_seed(0)
    return Scaled(scale)


def squared(module: nn.Module) -> float:
    return float(module(X).square().mean())


def own(module: nn.Module | None = None, seen: torch.Tensor = X, error: Callable[[nn.Module], float] = squared,
        data_digest: str = "data", scheme: Scheme | None = None, example: torch.Tensor = X) -> OwnModel:  # fmt: skip
    return OwnModel(module or scaled(), example, [seen], error, data_digest=data_digest, scheme=scheme)


def with_shift() -> nn.Module:
    module = scaled()
    module.shift += 1  # type: ignore[operator]
    return module


def defined(line: str) -> type[nn.Module]:
    """A class as a notebook defines it: of no file."""
    names: dict[str, object] = {"Base": Scaled, "__name__": "a_notebook"}
    exec(f"class Own(Base):\n    def forward(self, x):\n        return {line}\n", names)
    kind = names["Own"]
    assert isinstance(kind, type)
    return kind


def of_lines(line: str) -> nn.Module:
    torch.manual_seed(0)
    return defined(line)()


def test_the_same_is_the_same() -> None:
    assert errors_of(own()) == errors_of(own())
    assert errors_of(own(of_lines("self.lin(x)"))) == errors_of(own(of_lines("self.lin(x)")))
    assert own(data_digest="").data_digest == own(data_digest="").data_digest


@pytest.mark.parametrize("other", [
    lambda: own(scaled(2.0)), lambda: own(with_shift()), lambda: own(seen=2 * X), lambda: own(example=X[:1]),
    lambda: own(scheme=Scheme(activations="max")), lambda: own(nn.Sequential(scaled())),
    lambda: own(data_digest="other"), lambda: own(error=lambda module: 2 * squared(module)),
])  # fmt: skip
def test_what_decides_an_error_tells_models_apart(other: Callable[[], OwnModel]) -> None:
    assert errors_of(own()) != errors_of(other())


def test_code_without_a_file_tells_models_apart() -> None:
    one, other = (own(of_lines(line)) for line in ("self.lin(x) + 1.0", "self.lin(x) + 2.0"))
    assert errors_of(one) != errors_of(other)


def test_data_that_an_error_reads_tell_models_apart() -> None:
    def make(data: object) -> Callable[[nn.Module], float]:
        return lambda module: float(np.sum(data)) + squared(module)  # type: ignore[arg-type]

    alike = own(error=make(np.ones(3)), data_digest=""), own(error=make(np.ones(3)), data_digest="")
    assert alike[0].data_digest == alike[1].data_digest
    assert own(error=make(np.zeros(3)), data_digest="").data_digest != alike[0].data_digest


def test_a_ledger_does_not_return_what_other_calibration_gave(tmp_path: Path) -> None:
    narrow, wide = own(seen=0.01 * X), own(seen=X)
    bits = {"lin": (8, 8)}
    assert narrow.evaluate(bits).error != wide.evaluate(bits).error
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.write_error(errors_of(narrow), "lin=8x8", {"error": 1.0}, 0.0)
    assert ledger.find_error(errors_of(narrow), "lin=8x8") is not None
    assert ledger.find_error(errors_of(wide), "lin=8x8") is None
    ledger.close()


class Bag:
    def __init__(self, content: object):
        self.content = content


def doubled(x: float, by: float = 2.0) -> float:
    return x * by


VALUES = [
    None, 1, 1.0, True, "1", b"1", (1,), [1], {1}, {"a": 1}, {"a": 2}, {"b": 1}, np.ones(2), np.ones(3), np.ones(2, np.int8),
    torch.ones(2), torch.ones(1, 2), torch.zeros(2), Bag(1), Bag(2), Bag(torch.ones(2)), doubled, lambda x: x, lambda x: -x,
    functools.partial(doubled, by=3.0), functools.partial(doubled, by=4.0), Bag, Scaled, nn.Linear, nn.Conv1d, np.sum,
    torch.relu, Path("a"), range(3), slice(1), torch.float32, Bag(1).__init__,
]  # fmt: skip


def test_values_have_digests_of_their_own_that_repeat() -> None:
    digests = [content_digest(value) for value in VALUES]
    assert len(set(digests)) == len(digests)
    assert digests == [content_digest(value) for value in VALUES]
    assert content_digest({2, 1, 3}) == content_digest({3, 2, 1})


def test_cycles_end_and_what_cannot_be_told_is_never_the_same() -> None:
    ring: list[object] = [1]
    ring.append(ring)
    assert content_digest(ring) == content_digest(ring)
    generator = (i for i in range(3))
    assert content_digest(generator) != content_digest(generator)
