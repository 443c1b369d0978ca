"""The best policy of each hardware on all of them: against simulations by themselves, and kinds of layers by hand."""

from pathlib import Path

import pytest
from browser import data_of
from stand_in import StandInModel

from search import Experiment, run
from search.report.page import make_report, page_of, write_report
from search.report.policies import KindBits, kinds_of, layers_of, policy_matrices
from search.report.policies_picture import draw_policies
from search.runs import search_outputs
from simulators import InputError, Matmul, Trace, load_arch, simulate
from simulators.workloads.operations import Conv2d

ARCHS = {"fusion": "bitfusion", "again": "bitfusion", "small": "bitfusion-small", "silago": "silago"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    base = tmp_path_factory.mktemp("policies")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search_outputs, "draw_front", lambda result: b"")
        for seed, (name, arch) in enumerate(ARCHS.items()):
            settings = {"population": 12, "offspring": 2, "generations": 0, "steps": 5, "method": "random", "seed": seed,
                        "constraints": {"budget": {"memory": 0.4 + 0.2 * (name == "silago")}}}  # fmt: skip
            experiment = Experiment.model_validate({"name": name, "arch": arch, **settings})
            run(experiment, base / name, model=StandInModel(), check=False)
    return [base / name for name in ARCHS]


def test_every_policy_is_costed_on_all_hardware(folders: list[Path]) -> None:
    report = make_report(folders, {folder: StandInModel() for folder in folders})
    (matrix,) = report.policies
    assert matrix.runs == (0, 2, 3)  # the second run is on the hardware of the first
    assert [policy.run for policy in matrix.policies] == [0, 1, 2, 3]
    model, unable = StandInModel(), 0
    for costed, reported in zip(matrix.policies, report.runs, strict=True):
        feasible = reported.points.feasible
        assert costed.policy.error == min(reported.points.values["error"][feasible])
        bits = {
            site: (int(pair.split("x")[0]), int(pair.split("x")[1]))
            for site, pair in (part.split("=") for part in costed.policy.bits.split(","))
        }
        for name, latency_ms, energy_uj in zip(
            ("bitfusion", "bitfusion-small", "silago"), costed.latency_ms, costed.energy_uj, strict=True
        ):
            arch = load_arch(name)
            if not {*bits.values()} <= {*arch.precisions}:
                assert latency_ms is energy_uj is None
                unable += 1
                continue
            alone = simulate(model.trace(bits, 5), arch)
            assert (latency_ms, energy_uj) == (alone.latency_ms, alone.energy_uj)
    assert unable >= 1
    data = data_of(page_of(report))["policies"][0]
    assert data["hardware"] == ["bitfusion", "bitfusion-small", "silago"]
    assert [policy["latency_ms"] for policy in data["policies"]] == [list(p.latency_ms) for p in matrix.policies]


def test_one_hardware_makes_no_matrix(folders: list[Path]) -> None:
    report = make_report(folders[:2], {folder: StandInModel() for folder in folders})
    assert policy_matrices(report.runs) == ()
    with pytest.raises(InputError, match="expected runs of one network on several pieces of hardware"):
        draw_policies(report)


@pytest.mark.slow
def test_the_figure_has_each_layer_of_each_policy(folders: list[Path], tmp_path: Path) -> None:
    given, page, picture = {folder: StandInModel() for folder in folders}, tmp_path / "p.html", tmp_path / "p.png"
    report = write_report(folders, page, models=given, policies=picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.read_bytes() == draw_policies(report)
    for costed, drawn in zip(
        report.policies[0].policies, data_of(page.read_text())["policies"][0]["policies"], strict=True
    ):
        pairs = [part.split("=") for part in costed.policy.bits.split(",")]
        assert [f"{of.weight_bits}x{of.activation_bits}" for of in costed.layers] == [pair for _, pair in pairs]
        assert [(of["name"], of["weights"]) for of in drawn["layers"]] == [
            (of.name, of.weight_bits) for of in costed.layers
        ]


def test_what_a_layer_does_with_a_byte_by_hand() -> None:
    """On the bit-serial array a layer that is read and written once: multiply-accumulates over the bytes of the channel
    that takes longest with it."""
    layer = Conv2d(
        name="a", steps=1, in_channels=64, out_channels=64, groups=1, kernel=(1, 1), input_size=(8, 8), weight_bits=4,
        activation_bits=4, output_bits=8,
    )  # fmt: skip
    arch, trace = load_arch("bit-serial-edge"), Trace(name="one", steps=1, layers=(layer,))
    (found,) = layers_of(trace, arch)
    report = simulate(trace, arch)
    bits, rates = report.layers[0].bits, report.bits_per_cycle
    of_channel = {
        channel: bits.get(channel, 0) or sum(bits.get(f"{channel}_{way}", 0) for way in ("read", "write"))
        for channel in rates
    }
    busiest = max(rates, key=lambda channel: of_channel[channel] / rates[channel])
    assert found.kind == "pointwise"
    assert found.intensity == pytest.approx(64 * 64 * 64 * 8 / of_channel[busiest])
    assert of_channel[busiest] >= 64 * 64 * 4


def test_mean_widths_of_each_kind_by_hand() -> None:
    def conv(name: str, kernel: int, groups: int, bits: tuple[int, int]) -> Conv2d:
        return Conv2d(
            name=name, steps=1, in_channels=4, out_channels=4, groups=groups, kernel=(kernel, kernel), input_size=(5, 5),
            weight_bits=bits[0], activation_bits=bits[1], output_bits=8,
        )  # fmt: skip

    def product(name: str, recurrent: bool, bits: tuple[int, int]) -> Matmul:
        return Matmul(
            name=name, steps=3, out_features=4, in_features=4, recurrent=recurrent, weight_bits=bits[0],
            activation_bits=bits[1], output_bits=8,
        )  # fmt: skip

    layers = (
        conv("a", 3, 1, (8, 8)), conv("b", 3, 4, (2, 8)), conv("c", 3, 4, (4, 4)), conv("d", 1, 1, (4, 2)),
        product("e", True, (2, 2)), product("f", True, (8, 4)), product("g", False, (4, 8)),
    )  # fmt: skip
    assert kinds_of(Trace(name="kinds", steps=3, layers=layers)) == {
        "depthwise": KindBits(2, 3.0, 6.0),
        "pointwise": KindBits(1, 4.0, 2.0),
        "convolution": KindBits(1, 8.0, 8.0),
        "recurrent": KindBits(2, 5.0, 3.0),
        "product": KindBits(1, 4.0, 8.0),
    }
