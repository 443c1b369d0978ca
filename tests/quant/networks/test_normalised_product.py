"""Batch normalisation from the inputs' moments, against torch's of the product itself."""

import pytest
import torch
from torch import nn

from quant.networks.normalised_product import normalised_product


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_results_gradients_and_running_statistics_are_torchs(offset: float) -> None:
    generator = torch.Generator().manual_seed(5)
    frames = (torch.randn(50, 6, generator=generator) + offset).double().requires_grad_()
    weight = torch.randn(9, 6, generator=generator).double().requires_grad_()
    outer = torch.randn(50, 9, generator=generator).double()
    norms = [nn.BatchNorm1d(9).double() for _ in range(2)]
    for norm in norms:
        norm.weight.data = torch.linspace(0.5, 2, 9).double()
        norm.bias.data = torch.linspace(-1, 1, 9).double()

    scaled, shift = normalised_product(norms[0], weight, frames)
    ours = frames @ scaled.T + shift
    theirs = norms[1](frames @ weight.T)
    torch.testing.assert_close(ours, theirs)
    inputs = frames, weight
    found = torch.autograd.grad((ours * outer).sum(), (*inputs, *norms[0].parameters()))
    wanted = torch.autograd.grad((theirs * outer).sum(), (*inputs, *norms[1].parameters()))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(norms[0].running_mean, norms[1].running_mean)
    torch.testing.assert_close(  # torch's running variance is the unbiased one
        norms[0].running_var - 0.9, (norms[1].running_var - 0.9) * 49 / 50
    )

    for norm in norms:
        norm.eval()
    norms[1].load_state_dict(norms[0].state_dict())
    scaled, shift = normalised_product(norms[0], weight, None)
    torch.testing.assert_close(frames @ scaled.T + shift, norms[1](frames @ weight.T))


def test_what_is_not_shifted_is_scaled_alone() -> None:
    frames, weight = torch.randn(40, 4) + 3, torch.randn(5, 4)
    norm = nn.BatchNorm1d(5)
    norm.bias.data.fill_(0.25)
    scaled, shift = normalised_product(norm, weight, frames, torch.tensor([1.0, 0, 1, 0, 0]))
    y = frames @ scaled.T
    assert shift[[1, 3, 4]].abs().max() == 0
    torch.testing.assert_close(y.var(0, correction=0), torch.ones(5), rtol=1e-3, atol=0)
    torch.testing.assert_close((y + shift).mean(0)[[0, 2]], torch.full((2,), 0.25), rtol=1e-3, atol=1e-3)
