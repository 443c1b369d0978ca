"""A header of C is compiled as strictly as C can be and run: its scores are the integer-only reference's."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_recognisers import in_whole_numbers, noise, small_recogniser

from quant import load_model
from quant.arithmetic.clipping import Scheme
from quant.arithmetic.weights import QuantizedWeights
from quant.arithmetic.whole_numbers import Multiplier, shifted, sigmoid, tanh
from quant.exports.c_header import packed, prefix_of
from quant.exports.writing import export_as
from quant.files.checkpoint import Checkpoint
from quant.sites.candidate import Bits, parse_bits
from simulators import InputError

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
CHECKED = ("-fsanitize=undefined,address", "-fno-sanitize-recover")
CELLS = ("sru", "lstm", "gru", "ligru")

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "model.h"
int main(int count, char **arguments)
{
    const size_t frames = (size_t)atol(arguments[count - 1]);
    float *features = malloc(frames * PRE_FEATURES * sizeof *features + 1);
    int16_t *scores = malloc(frames * PRE_SCORES * sizeof *scores + 1);
    int16_t *scratch = malloc(PRE_SCRATCH(frames) * sizeof *scratch);
    if (fread(features, sizeof *features, frames * PRE_FEATURES, stdin) != frames * PRE_FEATURES)
        return 1;
    RAW
    PRE_run(features, frames, scores, scratch);
    fwrite(scores, sizeof *scores, frames * PRE_SCORES, stdout);
    free(features); free(scores); free(scratch);
    return 0;
}
"""


def built(folder: Path, main: str, *options: str) -> Path:
    (folder / "main.c").write_text(main)
    assert COMPILER is not None
    subprocess.run([COMPILER, *STRICT, "-O1", *options, "main.c", "-o", "main"], cwd=folder, check=True)
    return folder / "main"


def scores(program: Path, features: np.ndarray) -> np.ndarray:
    ran = subprocess.run([program, str(len(features))], input=features.tobytes(), capture_output=True, check=True)
    return np.frombuffer(ran.stdout, np.int16).reshape(len(features), -1).astype(np.int64)


def exported(
    checkpoint: Checkpoint, weights: QuantizedWeights, bits: Bits, folder: Path, *options: str, raw: bool = False
) -> Path:
    file = export_as("c", checkpoint, weights, bits, folder)
    assert file == folder / "model.h"
    prefix = prefix_of(checkpoint.name)
    raw_line = f"{prefix}_normalise(features, frames);" if raw else ""
    return built(folder, MAIN.replace("PRE", prefix).replace("RAW", raw_line), *options)


MIXED = {
    "sru": "16x8,L0=2x16,P1=4x2,L1=8x4",
    "lstm": "4x8,U0=16x4,W1=2x16,U1=16,FC=2",
    "gru": "8x4,W0=4x16,U0=2x8,U1=16x2",
    "ligru": "2x8,U0=16,W1=8x16,U1=4x4,FC=16x8",
    "mingru": "4x8,W0=16x4,W1=2x16,FC=8x2",
    "lru": "8x4,W0=2x8,W1=4x16,FC=16x8",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "per_channel", "causal"),
    [("sru", True, False), ("lstm", False, False), ("gru", True, False), ("ligru", False, False), ("sru", False, True),
     ("gru", False, True), ("mingru", True, False), ("mingru", False, True), ("lru", False, False), ("lru", True, True)],
)  # fmt: skip
def test_small_networks_of_mixed_widths(cell: str, per_channel: bool, causal: bool, tmp_path: Path) -> None:
    """With sanitizers: no undefined behaviour, nothing read or written outside its arrays."""
    checkpoint = small_recogniser(cell, causal)
    weights = QuantizedWeights(checkpoint.network, Scheme(per_channel=per_channel))
    bits = parse_bits(MIXED[cell], checkpoint.network.sites)
    program = exported(checkpoint, weights, bits, tmp_path, *CHECKED)
    for features in (noise(), noise(1), 40 * noise(9, 1)):
        assert np.array_equal(scores(program, features), in_whole_numbers(checkpoint, weights, bits, features))
    nothing = subprocess.run([program, "0"], input=b"", capture_output=True, check=True)
    assert nothing.stdout == b""


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_shipped_recognisers_on_their_utterances(name: str, tmp_path: Path) -> None:
    model = load_model(name, every=32)
    bits = parse_bits(MIXED[name] if name != "gru" else "4x8", model.sites)
    program = exported(model.checkpoint, model.weights, bits, tmp_path)
    features = model.utterances("dev").mats[0][:60].astype(np.float32)
    expected = in_whole_numbers(model.checkpoint, model.weights, bits, features)
    assert np.array_equal(scores(program, features), expected)
    assert len(np.unique(expected)) > 1000


def test_features_are_normalised_and_what_is_no_number_is_nothing(tmp_path: Path) -> None:
    checkpoint = small_recogniser("ligru")
    weights, bits = QuantizedWeights(checkpoint.network), parse_bits("8", checkpoint.network.sites)
    program = exported(checkpoint, weights, bits, tmp_path, raw=True)
    features = noise(4)
    features[1, 2:4] = 0.5
    raw = features * 2 + np.float32(0.5)
    odd = raw.copy()
    odd[1, 2:4] = np.nan, 0.5
    raw[1, 2:4] = 0.5
    assert np.array_equal(scores(program, odd), scores(program, raw))
    normalised = (raw - checkpoint.statistics.mean) / checkpoint.statistics.deviation
    assert np.array_equal(scores(program, raw), in_whole_numbers(checkpoint, weights, bits, normalised))


def test_its_functions_are_those_of_whole_numbers(tmp_path: Path) -> None:
    """Borders included: ties, negative numbers, the ends of words and of the table."""
    checkpoint = small_recogniser("ligru")
    weights, bits = QuantizedWeights(checkpoint.network), parse_bits("8", checkpoint.network.sites)
    file = export_as("c", checkpoint, weights, bits, tmp_path / "small.h")
    assert file == tmp_path / "small.h"
    x = np.concatenate([np.arange(-70, 70), 2 ** np.arange(40), -(2 ** np.arange(40)), 3 * 2 ** np.arange(38) - 1])
    factors = Multiplier.of(np.array([0.3, 2.0**-18, 1e-5, 7.0]))
    rows = [(int(m), int(a), int(b)) for m, a, b in zip(factors.m, factors.first, factors.second, strict=True)]
    prefix = prefix_of(checkpoint.name)
    calls = [f"{prefix}_shift(x, {right})" for right in (-3, 0, 1, 5, 20)]
    calls += [f"{prefix}_tanh({prefix}_saturate(x), {f})" for f in (15, 7, -2)]
    calls += [f"{prefix}_sigmoid({prefix}_saturate(x), {f})" for f in (15, 7, -2)]
    calls += [f"{prefix}_times(x, &rows[{i}])" for i in range(len(rows))]
    lines = "".join(f'printf("%lld\\n", (long long){call});\n' for call in calls)
    read = ", ".join(f"{prefix}_FC.{name}" for name in ("weight_steps[0]", "activation_step", "result_step"))
    steps = f'printf("%.9g %.17g %.17g\\n", {read});\n'
    table = ", ".join(f"{{INT64_C({m}), {a}, {b}}}" for m, a, b in rows)
    main = (
        f'#include <stdio.h>\n#include "small.h"\nint main(void)\n{{\n    static const {prefix}_multiplier rows[] = {{{table}}};\n'
        f"    static const int64_t xs[] = {{{', '.join(map(str, x.tolist()))}}};\n    size_t i;\n"
        f"    for (i = 0; i < sizeof xs / sizeof *xs; i++) {{\n    const int64_t x = xs[i];\n{lines}    }}\n"
        f"{steps}    return 0;\n}}\n"
    )
    ran = subprocess.run([built(tmp_path, main)], capture_output=True, text=True, check=True)
    *values, weight_step, activation_step, result_step = ran.stdout.split()
    calibration = checkpoint.calibration
    assert float(weight_step) == pytest.approx(float(weights("FC", 8).steps[0]), rel=1e-8)
    assert float(activation_step) == calibration.grid("FC", 8).step
    assert float(result_step) == calibration.results["FC"].step
    found = np.array(values, np.int64).reshape(len(x), -1).T
    narrow = np.clip(x, -(2**15), 2**15 - 1)
    expected = [shifted(x, right) for right in (-3, 0, 1, 5, 20)]
    expected += [tanh(narrow, f) for f in (15, 7, -2)] + [sigmoid(narrow, f) for f in (15, 7, -2)]
    expected += [Multiplier(factors.first[i], factors.m[i], factors.second[i])(x) for i in range(len(rows))]
    assert np.array_equal(found, np.array(expected))


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_packed_codes_are_twos_complement_from_the_lowest_bits(bits: int) -> None:
    codes = np.random.default_rng(bits).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (3, 19))
    words = packed(codes, bits)
    assert words.shape == (3, -(-19 * bits // 32))
    for row, line in zip(codes, words, strict=True):
        digits = "".join(f"{word:032b}" for word in reversed(line.tolist()))
        apart = [int(digits[len(digits) - bits * (k + 1) : len(digits) - bits * k], 2) for k in range(19)]
        assert [value - (value >= 2 ** (bits - 1)) * 2**bits for value in apart] == row.tolist()


def test_what_cannot_be_said_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = small_recogniser("ligru")
    weights, bits = QuantizedWeights(checkpoint.network), parse_bits("8", checkpoint.network.sites)
    with pytest.raises(InputError, match="no bits for W1"):
        export_as("c", checkpoint, weights, {k: v for k, v in bits.items() if k != "W1"}, tmp_path / "out")
    with pytest.raises(InputError, match="there is no folder"):
        export_as("c", checkpoint, weights, bits, tmp_path / "none" / "model.h")
    monkeypatch.setattr(type(checkpoint.network.cell), "name", "other")
    with pytest.raises(InputError, match="cell other: its step is in Python alone: these can be exported: sru, lstm"):
        export_as("c", checkpoint, weights, bits, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_prefixes_are_names_of_c() -> None:
    assert [prefix_of(name) for name in ("sru", "My Net-2", "4x", "…")] == ["sru", "my_net_2", "model_4x", "model"]
