"""Pruned weights on both platforms: stored with their indices, multiplied or not as the spec says."""

import pytest

from simulators import InputError, LayerReport, Matmul, Trace, load_arch, load_trace, simulate, simulate_batch
from simulators.platforms.silago.platform import PLATFORM as SILAGO
from simulators.run.published import published_report

KEPT_BITS = 64 * 32 * (8 + 2)
"""64 outputs of 64 inputs, 2 of 4 kept: 8 bits each, and 2 that say which."""
SKIPS = ["skips_pruned_weights=true"]


def product(sparsity: tuple[int, int] | None = (2, 4), recurrent: bool = False, active: float = 1.0) -> Trace:
    layer = Matmul(
        name="g", out_features=64, in_features=64, steps=64, weight_bits=8, activation_bits=8, output_bits=16,
        weight_sparsity=sparsity, recurrent=recurrent, active=active,
    )  # fmt: skip
    return Trace(name="g", steps=64, layers=(layer,))


def run(arch: str, trace: Trace, changes: list[str] | None = None) -> LayerReport:
    return simulate(trace, load_arch(arch, changes or [])).layers[0]


@pytest.mark.parametrize("recurrent", [False, True])
def test_bit_fusion_stores_what_is_kept(recurrent: bool) -> None:
    dense, sparse = run("bitfusion", product(None, recurrent)), run("bitfusion", product(recurrent=recurrent))
    skipped = run("bitfusion", product(recurrent=recurrent), SKIPS)
    for report in (sparse, skipped):
        assert report.bits["weight_buffer_write"] == KEPT_BITS
        assert dense.bits["dram_read"] - report.bits["dram_read"] == 64 * 64 * 8 - KEPT_BITS
        assert report.bits["weight_buffer_read"] == 64 * KEPT_BITS
    assert sparse.busy_cycles == dense.busy_cycles == 64 * 8  # 64 inputs in the lanes of the rows at once
    assert sparse.work == dense.work == 2 * skipped.work == 64 * 64 * 64


def test_bit_fusion_multiplies_what_is_kept() -> None:
    """4 rows of 4 products are 16 lanes: 64 weights of an output take 4 turns, the 32 that are kept 2."""
    few = ["array.rows=4"]
    dense, skipped = run("bitfusion", product(None), few), run("bitfusion", product(), [*few, *SKIPS])
    assert dense.busy_cycles == 2 * skipped.busy_cycles
    assert skipped.utilisation <= 1


def test_silago_stores_and_skips() -> None:
    dense, sparse, skipped = (
        run("silago", product(None)), run("silago", product()), run("silago", product(), SKIPS)
    )  # fmt: skip
    weights = 64 * 64 * 64 * 8  # each vector streams them all
    for report in (sparse, skipped):
        assert dense.bits["sram_read"] - report.bits["sram_read"] == weights - 64 * KEPT_BITS
    assert sparse.busy_cycles == dense.busy_cycles == 2 * skipped.busy_cycles
    assert skipped.energy_uj["mac"] == dense.energy_uj["mac"] / 2
    assert skipped.work == dense.work / 2
    assert max(dense.utilisation, skipped.utilisation) <= 1


def test_pruned_weights_stay_where_all_do_not_fit() -> None:
    tile = ["dimarch.weight_tiles=1", "dimarch.tile_rows=100"]  # 25,600 bits: more than 20,480, less than 32,768
    assert "dram_read" not in run("silago-64kib", product(recurrent=True), tile).bits
    assert run("silago-64kib", product(None, recurrent=True), tile).bits["dram_read"] == 64 * 64 * 64 * 8


def test_many_at_once_cost_what_one_does() -> None:
    trace = product()
    for name in ("bitfusion", "silago"):
        arch = load_arch(name)
        one = simulate(trace, arch)
        batch = simulate_batch(trace, arch, [[[8, 8]], [[4, 4]]])
        assert (batch.cycles[0], batch.energy_uj[0]) == (one.cycles, one.energy_uj)
        assert batch.cycles[1] == simulate(trace.at_bits(4, 4), arch).cycles


def test_delta_and_pruned_weights_multiply() -> None:
    layer = product(active=0.25).layers[0]
    macs = 64 * 64 * 64
    assert [layer.effective_macs(delta, pruned) for delta in (False, True) for pruned in (False, True)] == [
        macs, macs // 2, macs // 4, macs // 8,
    ]  # fmt: skip


def test_an_odd_end_keeps_no_more_than_n() -> None:
    layer = Matmul(
        name="g", out_features=3, in_features=11, steps=1, weight_bits=4, activation_bits=8, output_bits=8,
        weight_sparsity=(1, 4),
    )  # fmt: skip
    assert layer.kept_inputs == 3
    assert [(operand.name, operand.bits) for operand in layer.operands()] == [
        ("weights", 9 * 4), ("weight indices", 9 * 2), ("activations", 11 * 8),
    ]  # fmt: skip


def test_hardware_and_models_that_cannot_store_it_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(SILAGO), "stores_pruned_weights", False)
    with pytest.raises(InputError, match="layer g: weight_sparsity: plain has no way to store pruned weights"):
        run("silago", product(), ["name=plain"])
    with pytest.raises(InputError, match="layer g: weight_sparsity: the published model"):
        published_report(product(), load_arch("bitfusion"))


@pytest.mark.parametrize("sparsity", [(4, 4), (5, 4)])
def test_all_kept_is_no_sparsity(sparsity: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="fewer than all are kept"):
        product(sparsity)


def test_a_file_may_say_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    product().save(tmp_path / "g.yaml")
    assert load_trace(tmp_path / "g.yaml") == product()
