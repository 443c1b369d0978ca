"""The table of a model's sites: each alone, what saturates, and when steps for each row are advised."""

import torch
from torch import nn

from quant.arithmetic.clipping import Scheme
from quant.own.own_model import OwnModel
from quant.own.site_table import ALL, WIDTHS, SiteErrors, SiteTable, site_table
from quant.sites.candidate import homogeneous


def convolutional() -> OwnModel:
    """A front end whose channels have weights of very different sizes, which all matter."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(8, 16, 5), nn.Flatten(), nn.Linear(16 * 6, 4))
    with torch.no_grad():
        scales = torch.logspace(-2, 0, 16)
        module[0].weight.mul_(scales[:, None, None])
        module[0].bias.zero_()
        module[2].weight.div_(scales.repeat_interleave(6))
    x = torch.randn(60, 8, 10)
    with torch.no_grad():
        exact = module(x).argmax(1)

    def error(quantized: nn.Module) -> float:
        return 100.0 * float((quantized(x).argmax(1) != exact).float().mean())

    return OwnModel(module, x[:1], [x], error, data_digest="random")


def test_each_site_is_quantized_alone() -> None:
    model = convolutional()
    table = site_table(model)
    assert [row.site for row in table.rows] == [ALL, "0", "2"]
    assert table.float_error == 0.0
    assert table.rows[0].errors == tuple(model.evaluate(homogeneous(model.sites, b)).error for b in WIDTHS)
    for row in table.rows[1:]:
        assert row.errors == tuple(model.evaluate_some({row.site: (b, b)}).error for b in WIDTHS)
        assert row.errors[0] <= row.errors[2] <= table.rows[0].errors[2] + 5
    text = str(table)
    assert [line.split()[0] for line in text.splitlines()[:4]] == ["error", "all", "0", "2"]
    assert f"{table.rows[1].errors[2]:.2f}" in text


def test_steps_for_each_row_are_advised_where_they_gain() -> None:
    model = convolutional()
    table = site_table(model)
    assert table.by_row is not None
    assert table.by_row[2] < table.rows[0].errors[2] - 1
    assert table.advice.startswith("Scheme(per_channel=True) errs less: ")
    assert table.advice.endswith(f"{table.rows[0].errors[2]:.2f} % to {table.by_row[2]:.2f} % at 4 bits")
    assert str(table).endswith(table.advice)
    by_row = site_table(model.with_scheme(Scheme(per_channel=True)))
    assert by_row.by_row is None
    assert not by_row.advice
    alike = SiteTable(0.0, (SiteErrors(ALL, (1.0, 2.0, 3.0), (0.0, 0.0, 0.0)),), (1.0, 1.5, 2.5))
    assert not alike.advice
    assert "per_channel" not in str(alike)


def test_what_saturates_is_shown() -> None:
    module = nn.Sequential(nn.Linear(4, 4))
    x = torch.randn(20, 4)
    model = OwnModel(module, x, [0.1 * x], lambda m: float(m(x).square().mean()), data_digest="random")
    table = site_table(model)
    share = model.evaluate({"0": (16, 16)}).saturation[0]
    assert table.rows[1].saturated[0] == max(share.inputs, share.results) > 0.3
    assert f"{100 * table.rows[1].saturated[0]:.2f}%" in str(table)
