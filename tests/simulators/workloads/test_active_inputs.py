"""Delta networks on the simulators: what is not transmitted is neither read nor multiplied, where hardware can skip it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import InputError, Matmul, Trace, load_arch, load_trace, simulate
from simulators.lowering.platform import NEARLY
from simulators.views.roofline import roofline

STEPS = 12
FEW_MACS = 1_000_000
SKIPPING = ["skips_inactive_inputs=true"]


def trace(active: object, recurrent: bool = True, bits: int = 8, cells: int = 96) -> Trace:
    layer = Matmul(
        name="U0f", out_features=4 * cells, in_features=cells, steps=STEPS, recurrent=recurrent,
        weight_bits=bits, activation_bits=bits, output_bits=16, active=active,
    )  # fmt: skip
    return Trace(name="delta", steps=STEPS, layers=(layer,))


def cost(work: Trace, arch: str, overrides: list[str] = SKIPPING) -> tuple[int, float, dict[str, int]]:
    report = simulate(work, load_arch(arch, overrides))
    if work.macs < FEW_MACS:  # of a longer one SimPy takes seconds
        assert report == simulate(work, load_arch(arch, overrides), engine="simpy")
    return report.cycles, report.energy_uj, dict(report.layers[0].bits)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["bitfusion", "silago"])
@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("cells", [96, 400])
def test_fewer_active_inputs_cost_less_where_they_are_skipped(arch: str, recurrent: bool, cells: int) -> None:
    whole, half, few = (cost(trace(a, recurrent, cells=cells), arch) for a in (1.0, 0.5, 0.1))
    assert whole[0] > half[0] > few[0]
    assert whole[1] > half[1] > few[1]
    assert (
        cost(trace(0.1, recurrent, cells=cells), arch, [])[:2] == cost(trace(1.0, recurrent, cells=cells), arch, [])[:2]
    )


@pytest.mark.slow
@settings(max_examples=12)
@given(shares=st.lists(st.floats(0, 1), min_size=STEPS, max_size=STEPS), arch=st.sampled_from(["bitfusion", "silago"]),
       recurrent=st.booleans())  # fmt: skip
def test_shares_of_each_step(shares: list[float], arch: str, recurrent: bool) -> None:
    work = trace(tuple(shares), recurrent)
    cycles, energy, _ = cost(work, arch)
    ceiling, floor = (
        cost(trace(max(*shares, 1 / 96), recurrent), arch),
        cost(trace(max(min(shares), 1 / 96), recurrent), arch),
    )
    # Of tilings that are nearly as fast, the one of least energy is taken.
    assert floor[0] <= cycles * (1 + NEARLY)
    assert cycles <= ceiling[0] * (1 + NEARLY)
    assert floor[1] <= energy * (1 + 1e-12)
    assert energy <= ceiling[1] * (1 + 1e-12)


@pytest.mark.parametrize("arch", ["bitfusion", "silago"])
def test_equal_shares_step_by_step_are_one_share(arch: str) -> None:
    assert cost(trace((0.25,) * STEPS), arch) == cost(trace(0.25), arch)


def test_weights_that_stay_are_loaded_whole() -> None:
    """The recurrent matrix fits the weight buffer: a share of active inputs saves its reads, not its load."""
    whole, few = (cost(trace(a), "bitfusion")[2] for a in (1.0, 0.125))
    weights = 4 * 96 * 96 * 8
    assert weights <= few["dram_read"] <= whole["dram_read"]
    assert few["weight_buffer_read"] == whole["weight_buffer_read"] // 8
    streamed = [cost(trace(a, cells=400), "bitfusion")[2]["dram_read"] for a in (1.0, 0.125)]
    assert streamed[1] < 0.14 * streamed[0]


@pytest.mark.parametrize(
    ("arch", "bound", "utilisation"), [("silago", "compute", 0.9504), ("bitfusion-2mib", "dram", 0.3270)]
)
def test_what_is_skipped_is_no_work(arch: str, bound: str, utilisation: float) -> None:
    """Of 512 inputs of 50 vectors 128 are multiplied; on SiLago that is 32 multiply-accumulates a cycle at most."""
    layer = Matmul(
        name="U", out_features=512, in_features=512, steps=50, recurrent=True, weight_bits=8, activation_bits=8,
        output_bits=8, active=0.25,
    )  # fmt: skip
    report = simulate(Trace(name="delta", steps=50, layers=(layer,)), load_arch(arch, SKIPPING))
    assert (report.macs, report.dense_equivalent_macs) == (50 * 512 * 128, 50 * 512 * 512)
    assert report.utilisation == pytest.approx(utilisation, abs=1e-4) == report.layers[0].utilisation
    roof = roofline(report)
    assert (roof.bound, roof.work) == (bound, report.macs)
    assert roof.attained <= 1
    dense = simulate(Trace(name="delta", steps=50, layers=(layer,)), load_arch(arch))
    assert dense.macs == dense.dense_equivalent_macs == report.to_dict()["dense_equivalent_macs"]


def test_shares_lie_beside_the_trace(tmp_path: Path) -> None:
    work = trace(tuple(np.linspace(0, 1, STEPS).tolist()))
    for name in ("t.yaml", "t.json"):
        work.save(tmp_path / name)
        assert len((tmp_path / name).read_text()) < 400
        assert load_trace(tmp_path / name) == work
    text = work.to_yaml()
    (tmp_path / "inline.yaml").write_text(text)
    assert load_trace(tmp_path / "inline.yaml") == work


def test_shares_take_no_other_files_place(tmp_path: Path) -> None:
    """A folder may hold arrays of the trace's name, and two traces of one name with other shares."""
    np.savez(tmp_path / "t.npz", mine=np.ones(1))
    works = {
        "t.yaml": trace((0.25,) * STEPS),
        "t.json": trace((0.5,) * STEPS),
        "t" * 250 + ".yaml": trace((1,) * STEPS),
    }
    for name, work in works.items():
        work.save(tmp_path / name)
    assert all(load_trace(tmp_path / name) == work for name, work in works.items())
    assert np.load(tmp_path / "t.npz").files == ["mine"]


@pytest.mark.parametrize(
    ("active", "message"),
    [
        ("nowhere.npz", r"t\.yaml:\d+:\d+: layers\[0\]\.active: nowhere\.npz: no \.npz file"),
        ("other.npz", r"layers\[0\]\.active: other\.npz: it holds no array for this layer"),
        ("text.npz", "no .npz file"),
        ("[0.5, 0.5]", "2 shares for 12 steps"),
        ("1.5", "less than or equal to 1"),
        ("0", "greater than 0"),
        ("[2.0, 0.5]", "less than or equal to 1"),
    ],
)
def test_bad_shares_are_named(active: str, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", W0=np.ones(STEPS))
    (tmp_path / "text.npz").write_text("no archive")
    lines = trace(1.0).to_yaml().replace("active: 1.0", f"active: {active}")
    assert active in lines
    (tmp_path / "t.yaml").write_text(lines)
    with pytest.raises(InputError, match=message):
        load_trace(tmp_path / "t.yaml")


def test_other_steps_are_refused() -> None:
    with pytest.raises(InputError, match="steps: 5: layer U0f has shares of active inputs for 12"):
        trace((0.5,) * STEPS).at_steps(5)


@pytest.mark.parametrize("share", [0.07, 0.29, 0.5, 0.57, 1.0, 1e-6])
def test_one_share_transmits_as_many_inputs_as_a_list_of_it(share: float) -> None:
    """100 · 0.07 is 7.000000000000001 in floating point."""
    one, each = trace(share, cells=100).layers[0], trace([share] * STEPS, cells=100).layers[0]
    assert one.transmitted() == each.transmitted()
    assert one.transmitted()[0][1] == max(1, round(100 * share))
