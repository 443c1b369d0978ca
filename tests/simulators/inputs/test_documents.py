"""Traces and architecture specs as users write them: what is read, and that everything wrong is one line that says where."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import InputError, Trace, arch_names, load_arch, load_trace, simulate
from simulators.inputs.shipped import names
from simulators.inputs.source_locations import shown

TRACE = """\
name: t
steps: 10
layers:
- {name: A, op: matmul, out_features: 8, in_features: 4, weight_bits: 4, activation_bits: 8, output_bits: 16}
- {name: B, op: elementwise, ops: {add: 8, sigmoid: 8}, inputs: 8, outputs: 8}
"""


def write(folder: Path, text: str, name: str = "t.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_everything_shipped_loads_and_runs() -> None:
    for name in names("traces"):
        load_trace(name)
    for name in arch_names():
        assert load_arch(name).precisions
    assert {"bitfusion", "silago"} <= set(arch_names())


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_trace_survives_its_file(tmp_path: Path, suffix: str) -> None:
    trace = load_trace(write(tmp_path, TRACE))
    again = tmp_path / f"again.{suffix}"
    trace.save(again)
    assert load_trace(again) == trace
    assert load_trace(again).digest == trace.digest


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("out_features: 8", "out_features: -8", r"t.yaml:4:\d+: layers\[0\].out_features: -8: .*greater than or equal to 1"),
        ("out_features: 8", "out_features: 8.5", r"t.yaml:4:\d+: layers\[0\].out_features: 8.5"),
        ("out_features: 8", "out_features: .nan", r"t.yaml:4:\d+: layers\[0\].out_features: nan"),
        ("out_features: 8", "out_features: 1e30", r"t.yaml:4:\d+: layers\[0\].out_features"),
        ("out_features: 8", "out_feature: 8", r"t.yaml:4:\d+: layers\[0\].out_feature: unknown key; did you mean out_features"),
        ("in_features: 4, ", "", r"t.yaml:4:\d+: layers\[0\].in_features: missing"),
        ("op: matmul", "op: matmull", r"t.yaml:4:\d+: layers\[0\].op: 'matmull': it must be one of matmul, .*; did you mean matmul"),
        ("op: matmul", "op: softmax", r"t.yaml:4:\d+: layers\[0\].op: 'softmax': it must be one of matmul, conv2d, .*pool2d$"),
        ("op: matmul, ", "", r"t.yaml:4:\d+: layers\[0\].op: missing"),
        ("sigmoid: 8", "swish: 8", r"t.yaml:5:\d+: .*swish"),
        ("{add: 8, sigmoid: 8}", "{}", r"t.yaml:5:\d+: .*at least one operation"),
        ("name: B", "name: A", "used twice"),
        ("name: B", "name: 'a b'", "expected a name without spaces, commas and colons"),
        ("steps: 10", "steps: 10\nsteps: 11", r"t.yaml:3:1: steps: .*twice|t.yaml:3:1.*duplicate"),
        ("steps: 10", "steps: 010", r"t.yaml:2:8"),
        ("weight_bits: 4", "weight_bits: 33", r"t.yaml:4:\d+: layers\[0\].weight_bits: 33"),
        ("name: t", "name: !!python/object:os.system t", r"t.yaml:1:7"),
        ("layers:", "layers: &x\n- *x\nmore:", r"t.yaml"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_trace_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TRACE
    with pytest.raises(InputError, match=message) as caught:
        load_trace(write(tmp_path, TRACE.replace(old, new, 1)))
    assert "\n" not in str(caught.value)


def test_numbers_that_yaml_1_1_reads_as_strings(tmp_path: Path) -> None:
    assert load_trace(write(tmp_path, TRACE.replace("steps: 10", "steps: 1e3"))).steps == 1000


def test_variants_extend_and_override(tmp_path: Path) -> None:
    write(tmp_path, "extends: bitfusion.yaml\nname: mine\narray: {rows: 32}\n", "mine.yaml")
    arch = load_arch(tmp_path / "mine.yaml", ["array.columns=8"])
    base = load_arch("bitfusion")
    assert (arch.spec.array.rows, arch.spec.array.columns) == (32, 8)  # type: ignore[union-attr]
    assert arch.spec.dram == base.spec.dram
    assert arch.digest != base.digest
    assert yaml.safe_load(arch.to_yaml())["array"]["rows"] == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: a.yaml\nname: a\n", r"a.yaml.*extends"),
        ("extends: nowhere.yaml\n", r"nowhere"),
        ("extends: bitfusion.yaml\narray: {row: 3}\n", r"a.yaml:2:\d+: array.row: unknown key; did you mean rows"),
        ("extends: bitfusion.yaml\narray: 3\n", r"a.yaml:2:8: array: 3"),
        ("extends: bitfusion.yaml\ndram: {pj_per_bit: .inf}\n", r"a.yaml:2:20: dram.pj_per_bit: inf"),
        ("extends: bitfusion.yaml\nprecisions: [[2, 2], [2, 2]]\n", r"listed twice"),
        ("name: a\n", r"platform: missing"),
        ("platform: gpu\n", r"a.yaml:1:11: platform: 'gpu'"),
        ("- 1\n", r"expected a mapping"),
        ("", r"a.yaml: the file is empty: expected a mapping"),
        ("# nothing\n", r"a.yaml: the file is empty"),
        (
            "extends: bitfusion.yaml\nbuffer:\n  input_kib: 3\n",
            r"a.yaml:2:1: buffer: unknown key; did you mean buffers",
        ),
    ],
)
def test_what_is_wrong_in_a_spec_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_arch(write(tmp_path, text, "a.yaml"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "post_processing:\n  pj_per_op: &t {add: 0.5}\n  cycles_per_op: *t\n",
            r"post_processing.cycles_per_op.add: 0.5: exp",
        ),
        ("description: &d {row: 3}\nname: b\narray: *d\n", r"array.row: unknown key; did you mean rows"),
    ],
)
def test_what_is_wrong_beneath_an_alias_is_where_the_alias_stands(tmp_path: Path, text: str, message: str) -> None:
    """Not in the file beneath, which has the key too."""
    with pytest.raises(InputError, match=rf"^\S*a\.yaml:4:\d+: {message}"):
        load_arch(write(tmp_path, f"extends: bitfusion.yaml\n{text}", "a.yaml"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("array.rows", "^--set array.rows: expected key.path=value"),
        ("array.rowz=3", r"^--set array.rowz=3: unknown key; did you mean array.rows\?$"),
        ("array.rows=x", "^--set array.rows=x: 'x': expected a whole number$"),
        ("array={rows: x}", r"^--set array={rows: x}: array.rows: 'x': expected a whole number$"),
        (f"post_processing.cycles_per_op={{? '{'9' * 5000}' : 1}}", r"^--set .*9{40}\.\.\.$"),
        (f"{'a.' * 20_000}a=1", r"^--set a\.a\..*\.\.\.: nested deeper than 32$"),
        ("array.rows=[", r"^--set array.rows=\["),
        ("name.x=1", "^--set name.x=1: name is 'bitfusion', which has no keys$"),
        ("a.b.c=1", "^--set a.b.c=1: unknown key; the keys here are area, array, "),
        (
            "post_processing.cycles_per_op.sigmoyd=100",
            r"^--set post_processing.cycles_per_op.sigmoyd=100: 100: unknown operation; did you mean sigmoid\?$",
        ),
        ("post_processing.pj_per_op.root=1", "pj_per_op.root=1: 1: unknown operation; they are add, multiply, "),
    ],
)
def test_bad_overrides(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_arch("bitfusion", [override])


@pytest.mark.slow
@settings(max_examples=150)
@given(data=st.data())
def test_mutated_files_never_end_in_anything_but_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A trace or a spec with characters changed, dropped or doubled either loads and runs, or is refused in one line."""
    source = data.draw(
        st.sampled_from([TRACE, json.dumps(yaml.safe_load(TRACE)), "extends: bitfusion.yaml\narray: {rows: 4}\n"])
    )
    text = source
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 12)))
        middle = data.draw(
            st.sampled_from(
                ["", "-", "1e400", "&a ", "*a", "{", "}", "[", ":", "\t", "~", "!!int", "'", "99999999999999"]
            )
        )
        text = text[:at] + middle + text[end:]
    path = write(tmp_path_factory.mktemp("fuzz"), text)
    try:
        if "extends" in source:
            simulate(load_trace("lstm-128-8bit"), load_arch(path))
        else:
            trace = load_trace(path)
            if trace.macs < 10**9 and len(trace.layers) < 50 and trace.steps < 1000:
                simulate(trace, load_arch("bitfusion"))
    except InputError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000


def test_a_yaml_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)
    ]
    with pytest.raises(InputError, match=r"t\.yaml"):
        load_trace(write(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize(
    "number", ["0x" + "f" * 5000, "0o" + "7" * 5000, "9" * 5000, "1e" + "9" * 5000, "." + "1" * 5000]
)
def test_a_number_of_thousands_of_characters_is_one_line(tmp_path: Path, number: str) -> None:
    with pytest.raises(InputError, match=r"t\.yaml:2:8: .{40}\.\.\.: a number of \d+ characters") as caught:
        load_trace(write(tmp_path, TRACE.replace("steps: 10", f"steps: {number}")))
    assert len(str(caught.value)) < 300


def test_a_text_that_aliases_repeat_without_end_is_one_line(tmp_path: Path) -> None:
    """Few values and many characters: neither are they kept, nor does a message print them."""
    text = f"name: &a {'x' * 100_000}\nlayers: [{'*a, ' * 100_000}]\n"
    with pytest.raises(InputError, match=r"t\.yaml:2:\d+: .*8388608 characters, aliases counted"):
        load_trace(write(tmp_path, text))
    text = f"name: t\nlayers: &b [&a {'x' * 50_000}, {'*a, ' * 50}]\nsteps: *b\n"
    with pytest.raises(InputError, match=r"t\.yaml:\d+:\d+: steps: \['x+\.\.\.: expected a whole number") as caught:
        load_trace(write(tmp_path, text))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "value", [[1, "a", {"b": [None, 1.5]}], {}, [], "x" * 59, "it's", ["y" * 30, "z" * 40], {"k": "v" * 90}]
)
def test_a_value_is_shown_as_python_writes_it_up_to_its_sixtieth_character(value: object) -> None:
    text = repr(value)
    assert shown(value) == (text if len(text) <= 60 else f"{text[:57]}...")


def test_a_key_without_end_is_not_printed_whole(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown key") as caught:
        load_trace(write(tmp_path, TRACE.replace("steps: 10", f"steps: 10\n? {'k' * 10_000}\n: 1")))
    assert len(str(caught.value)) < 500


@pytest.mark.slow
def test_simulators_need_neither_torch_nor_pymoo() -> None:
    program = """
import sys
for name in ("torch", "pymoo", "safetensors", "matplotlib", "dask"):
    sys.modules[name] = None
from simulators import load_arch, load_trace, simulate
print(simulate(load_trace("lstm-128-8bit"), load_arch("silago")).cycles)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 0


def test_traces_are_hashable_values() -> None:
    trace = load_trace("lstm-128-8bit")
    assert isinstance(trace, Trace)
    assert trace.macs == 100 * (512 * 40 + 512 * 128)
