"""A recogniser end to end on real dev speech: training, checkpoint, evaluation, trace. And the shipped one."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from paths import ROOT

from quant import Recogniser, homogeneous, load_model
from quant.files.checkpoint import load_checkpoint
from quant.runs.training_run import run_training
from simulators import Elementwise, InputError, Matmul, load_arch, simulate


@pytest.fixture(scope="module")
def model(small_model: Path) -> Recogniser:
    return load_model(small_model)


def test_training_learnt_something_and_quantization_costs_what_it_should(model: Recogniser) -> None:
    rates = {bits: model.evaluate(homogeneous(model.sites, bits)).error for bits in (16, 8, 4, 2)}
    base = model.evaluate(None).error
    assert base < 60.0
    assert rates[16] == pytest.approx(base, abs=0.5)
    assert rates[8] == pytest.approx(base, abs=2.0)
    assert rates[2] > rates[8] + 5.0


def test_the_error_is_the_worst_of_four_groups_of_speakers(model: Recogniser) -> None:
    rate = model.evaluate(homogeneous(model.sites, 8))
    assert len(rate.subsets) == 4
    assert rate.error_max == max(rate.subsets)
    assert min(rate.subsets) <= rate.error <= rate.error_max
    assert rate.error == pytest.approx(
        100 * (rate.substitutions + rate.insertions + rate.deletions) / rate.reference_phones
    )


def test_evaluating_twice_or_on_another_number_of_threads_gives_the_same(model: Recogniser, small_model: Path) -> None:
    bits = homogeneous(model.sites, 4, 8)
    first = model.evaluate(bits)
    assert model.evaluate(bits) == first
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert load_model(small_model).evaluate(bits) == first
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_the_same_command_trains_the_same_model(tmp_path: Path) -> None:
    first, again = (load_checkpoint(run_training(tmp_path / name, small=True, epochs=1)) for name in "ab")
    for name, value in first.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[name], value, atol=2e-3, rtol=0)


def test_the_trace_is_the_network(model: Recogniser) -> None:
    bits = homogeneous(model.sites, 8) | {"P1": (4, 2)}
    trace = model.trace(bits, steps=50)
    products = {layer.name: layer for layer in trace.layers if isinstance(layer, Matmul)}
    assert list(products) == [site.name for site in model.sites]
    for site in model.sites:
        layer = products[site.name]
        assert (layer.out_features, layer.in_features, layer.steps) == (site.out_features, site.in_features, 50)
        assert (layer.weight_bits, layer.activation_bits) == bits[site.name]
        assert not layer.recurrent
    elementwise = [layer for layer in trace.layers if isinstance(layer, Elementwise)]
    assert [layer.recurrent for layer in elementwise] == [True] * model.network.geometry.layers
    assert elementwise[0].output_bits == 2  # what P1 reads
    parameters = sum(p.numel() for name, p in model.network.named_parameters() if name.startswith("V"))
    assert sum(layer.vector_parameters for layer in elementwise) == parameters
    assert simulate(trace, load_arch("bitfusion")).cycles > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("V0"), "missing or unknown: V0"),
        (lambda t: t.update(extra=torch.zeros(1)), "missing or unknown: extra"),
        (lambda t: t.update(FC=torch.zeros(3, 3)), r"tensor FC has shape \(3, 3\)"),
        (lambda t: t["bias"].fill_(float("nan")), "tensor bias holds values that are not finite"),
    ],
)  # fmt: skip
def test_damaged_checkpoints_are_refused(small_model: Path, tmp_path: Path, change, message: str) -> None:
    with safetensors.safe_open(small_model, framework="pt") as file:
        metadata = file.metadata()
    tensors = safetensors.torch.load_file(small_model)
    change(tensors)
    path = tmp_path / "damaged.safetensors"
    safetensors.torch.save_file(tensors, path, metadata)
    with pytest.raises(InputError, match=message):
        load_model(path)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nomodel: no such model: .*\(.*ligru, .*sru\b.*\)"):
        load_model("nomodel")
    path = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match="cannot be read"):
        load_model(path)
    path.write_bytes(b"\x80pickle")
    with pytest.raises(InputError, match="not a safetensors file"):
        load_model(path)
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="no key `mohaq`"):
        load_model(path)


@pytest.mark.slow
def test_the_shipped_model() -> None:
    """MOHAQ's geometry with the embedded corpus's outputs, at its card's error rates."""
    model = load_model("sru")
    assert [(s.name, s.out_features, s.in_features) for s in model.sites[:3]] == [
        ("L0", 3300, 23), ("P1", 256, 1100), ("L1", 3300, 256),
    ]  # fmt: skip
    assert model.sites[-1].out_features == 117
    card = {
        row.split("|")[1].strip(): float(row.split("|")[2])
        for row in (ROOT / "checkpoints/sru.md").read_text().splitlines()
        if row.startswith(("| 8x8", "| 2x2", "| float"))
    }
    rate = model.evaluate(homogeneous(model.sites, 8))
    assert rate.error == pytest.approx(card["8x8"], abs=0.2)
    assert 10.0 < card["float"] < 25.0
    assert rate.error < card["float"] + 0.5
    assert card["2x2"] > card["float"] + 10.0


def test_too_few_utterances_for_the_groups_are_refused(small_model: Path) -> None:
    with pytest.raises(InputError, match=r"^every: 9999: it leaves 1 utterance of dev, too few for 4 groups"):
        _ = load_model(small_model, every=9999).data_digest
