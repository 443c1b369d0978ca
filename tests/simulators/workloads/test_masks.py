"""Masks of active inputs: in a trace, in the file beside it, and what platforms that count them make of them."""

from pathlib import Path

import numpy as np
import pytest

from simulators import InputError, Matmul, Trace, load_arch, load_trace, simulate

MASKS = ("0", "fff", "8001", "3")


def trace(active: object, inputs: int = 20) -> Trace:
    layer = Matmul(name="U", out_features=80, in_features=inputs, steps=4, recurrent=True, weight_bits=8,
                   activation_bits=8, output_bits=16, active=active)  # fmt: skip
    return Trace(name="masks", steps=4, layers=(layer,))


def test_what_masks_say() -> None:
    (layer,) = trace(MASKS).layers
    assert isinstance(layer, Matmul)
    assert layer.transmitted() == [(1, 1), (1, 12), (2, 2)]  # a step takes its time: one at least
    assert layer.masks == MASKS
    assert layer.mean_active == (1 + 12 + 2 + 2) / 80


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_there_and_back_through_a_packed_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"trace.{suffix}"
    trace(MASKS).save(path)
    assert load_trace(path) == trace(MASKS)
    (sidecar,) = tmp_path.glob("*.npz")
    packed = np.load(sidecar)["U"]
    assert (packed.dtype, packed.shape) == (np.uint8, (4, 3))
    assert packed[2].tolist() == [1, 128, 0]


@pytest.mark.parametrize("arch", ["bitfusion", "silago"])
def test_platforms_that_skip_count_the_masks(arch: str) -> None:
    spec = load_arch(arch, ["skips_inactive_inputs=true"])
    one, other = (simulate(trace(active), spec) for active in (MASKS, (0.0, 12 / 20, 2 / 20, 2 / 20)))
    assert (one.cycles, one.energy_uj) == (other.cycles, other.energy_uj)


@pytest.mark.parametrize(
    ("active", "message"),
    [
        (MASKS[:3], "active: 3 masks for 4 steps"),
        (("0", "1", "2", "100000"), "active: the mask of step 3 has bit 20, of 20 inputs"),
        (("0", "1", "2", "xy"), "pattern"),
        ((), "active: 0 shares for 4 steps"),
        (("0", "1", "2", 0.5), "string"),
    ],
)
def test_refused(active: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trace(active)


def test_a_packed_file_of_another_width_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.yaml"
    trace(MASKS).save(path)
    path.write_text(path.read_text().replace("in_features: 20", "in_features: 40"))
    with pytest.raises(InputError, match="masks of 3 bytes a step: 40 inputs take 5"):
        load_trace(path)


@pytest.mark.parametrize("inputs", ["0", "-7", "wide"])
def test_a_packed_file_without_bytes_is_refused(inputs: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.yaml"
    trace(MASKS).save(path)
    path.write_text(path.read_text().replace("in_features: 20", f"in_features: {inputs}"))
    (sidecar,) = tmp_path.glob("*.npz")
    np.savez(sidecar, U=np.zeros((4, 0), np.uint8))
    with pytest.raises(InputError, match="in_features: expected a whole number from 1"):
        load_trace(path)
