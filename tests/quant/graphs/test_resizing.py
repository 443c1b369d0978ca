"""Maps in other sizes, with attributes and sizes drawn at random, as ONNX Runtime has them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what graphs are held against")

from graph_runs import graph_of, in_float
from onnx import helper
from onnx_graphs import by_onnxruntime, model_of, saved

RULES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners", "tf_crop_and_resize",
)  # fmt: skip


def drawn(seed: int) -> tuple[np.ndarray, list[np.ndarray], dict[str, Any]]:
    """A map, the constants behind it and attributes, of those that ONNX Runtime computes."""
    random = np.random.default_rng(seed)
    mode = str(random.choice(["nearest", "linear", "cubic"]))
    x = random.normal(size=(*random.integers(1, 3, 2), *random.integers(2, 9, 2))).astype(np.float32)
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": str(random.choice(RULES))}
    is_cropped = attributes["coordinate_transformation_mode"] == "tf_crop_and_resize"
    if mode == "nearest":
        attributes["nearest_mode"] = str(random.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]))
    elif random.random() < 0.4 and not is_cropped:
        attributes["antialias"] = 1
    if mode == "cubic":
        attributes |= {"cubic_coeff_a": float(random.choice([-0.75, -0.5])), "exclude_outside": int(random.integers(2))}
    roi = np.zeros(0, np.float32)
    if is_cropped:
        begin = random.uniform(-0.2, 0.5, 2)
        roi = np.array([0, 0, *begin, 1, 1, *(begin + random.uniform(0.2, 0.8, 2))], np.float32)
        attributes["extrapolation_value"] = 0.25
    if random.random() < 0.5:
        sizes = np.array([*x.shape[:2], *random.integers(1, 14, 2)], np.int64)
        sizes[2:] += (sizes[2:] == x.shape[2:]) * is_cropped  # ONNX Runtime takes all of an axis that keeps its size
        if random.random() < 0.3 and not is_cropped:
            attributes["keep_aspect_ratio_policy"] = str(random.choice(["not_larger", "not_smaller"]))
            attributes["axes"], sizes = [2, 3], sizes[2:]
        return x, [roi, np.zeros(0, np.float32), sizes], attributes
    scales = np.array([1, 1, *random.choice([0.5, 0.6, 0.75, 1.3, 2.0, 2.5], 2)], np.float32)
    return x, [roi, scales], attributes


def compared(seed: int, folder: Path) -> bool:
    """Whether ONNX Runtime takes what is drawn; what is computed is then the same."""
    x, constants, attributes = drawn(seed)
    names = [f"c{number}" for number in range(len(constants))]
    node = helper.make_node("Resize", ["x", *names], ["y"], name="one", **attributes)
    path = saved(model_of([node], {"x": x}, dict(zip(names, constants, strict=True)), opset=19), folder)
    try:
        expected = by_onnxruntime(path, {"x": x})["y"]
    except Exception:  # what it has no kernel for, or refuses
        return False
    found = in_float(graph_of(path), {"x": x})[0]["y"]
    assert found.shape == expected.shape, (seed, attributes)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=f"{seed} {attributes} {constants}")
    return True


def test_resizing_is_that_of_onnxruntime(tmp_path: Path) -> None:
    assert sum(compared(seed, tmp_path) for seed in range(60)) >= 50


def test_sizes_are_products_in_float32(tmp_path: Path) -> None:
    x = np.arange(10, dtype=np.float32)
    path = saved(model_of([helper.make_node("Resize", ["x", "r", "s"], ["y"])], {"x": x},
                          {"r": np.zeros(0, np.float32), "s": np.float32([0.7])}, opset=19), tmp_path)  # fmt: skip
    found = in_float(graph_of(path), {"x": x})[0]["y"]
    assert found.shape == by_onnxruntime(path, {"x": x})["y"].shape == (7,)
