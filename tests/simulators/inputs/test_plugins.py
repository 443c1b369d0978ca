"""Plugin files run once, say where they fail, and what they define can be pickled; registries take what they bring."""

import os
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from simulators.inputs import plugins, registry
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.inputs.registry import Registry, instance_of


@pytest.fixture(autouse=True)
def _without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, "")


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Registry[int]:
    """A registry of whole numbers, with one built in and two installed."""
    points = [
        EntryPoint("two", "builtins:True", "tests.numbers"),
        EntryPoint("bad", "no.such.module:x", "tests.numbers"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "tests.numbers" else [])
    return Registry("number", "tests.numbers", {"one": "stat:ST_INO"}, instance_of("number", int))


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.slow
def test_a_file_is_run_once_and_inherited(tmp_path: Path) -> None:
    beside = written(tmp_path, "VALUE = 7\n", "beside_the_plugin.py")
    path = written(tmp_path, "import beside_the_plugin\nimport builtins\nbuiltins.runs = getattr(builtins, 'runs', 0) + 1\n"
                   "class Thing:\n    value = beside_the_plugin.VALUE\n")  # fmt: skip
    (first,), (second,) = plugins.load([path]), plugins.load([path, path])[:1]
    assert first == second
    import builtins

    assert builtins.runs == 1  # type: ignore[attr-defined]
    assert os.environ[plugins.VARIABLE] == str(path)
    thing = sys.modules[first.module].Thing
    assert thing.value == 7
    program = f"import simulators.inputs.plugins, pickle; print(pickle.loads({pickle.dumps(thing())!r}).value)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "7\n", done.stderr
    assert beside.is_file()


def test_the_text_is_enough_elsewhere(tmp_path: Path) -> None:
    (plugin,) = plugins.load([written(tmp_path, "class Thing:\n    value = 3\n")])
    module = plugin.module
    sent = pickle.dumps(plugin)
    del sys.modules[module]
    (tmp_path / "mine.py").unlink()
    assert plugins.run(pickle.loads(sent)).Thing.value == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n1 / 0\n", "mine.py:2: ZeroDivisionError: division by zero"),
        ("def f(:\n", "mine.py:1:7: invalid syntax"),
        ("\n\nraise ValueError('two\\nlines')\n", "mine.py:3: ValueError: two lines"),
        ("def f():\n    raise KeyError('k')\nf()\n", "mine.py:2: KeyError: 'k'"),
        ("x = '\\0'\n\0", "mine.py"),
        ("import no_such_module_of_mine\n", "mine.py:1: ModuleNotFoundError: No module named 'no_such_module_of_mine'"),
    ],
)
def test_a_file_that_fails_says_where(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    for _ in range(2):
        with pytest.raises(InputError) as error:
            plugins.load([path])
        assert message in str(error.value)
        assert "\n" not in str(error.value)
    assert os.environ[plugins.VARIABLE] == ""


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file: a plugin is a Python file"):
        plugins.load([tmp_path / "nothing.py"])
    with pytest.raises(InputError, match="it is a folder, and a plugin is"):
        plugins.load([tmp_path])
    (tmp_path / "bytes.py").write_bytes(b"x = '\xff'")
    with pytest.raises(InputError, match="byte 5: not UTF-8 text"):
        plugins.load([tmp_path / "bytes.py"])
    with pytest.raises(InputError, match="at most 1048576"):
        plugins.load([written(tmp_path, "#" * 2_000_000)])


def test_the_environment_names_files(numbers: Registry[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / "nothing.py"))
    for _ in range(2):  # not silently without it the second time
        with pytest.raises(InputError, match="no such file"):
            numbers.get("one")


def test_a_registry_has_what_is_built_in_installed_and_registered(numbers: Registry[int]) -> None:
    numbers.register("zero", 0)
    assert numbers.names() == ["one", "bad", "two", "zero"]
    assert [numbers.get(name) for name in ("one", "two", "zero")] == [1, True, 0]
    assert "zero" in numbers
    assert "three" not in numbers


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("twoo", "number 'twoo': did you mean two?"),
        ("xyz", "number 'xyz': it must be one of one, bad, two"),
        ("bad", "number bad: the entry point no.such.module:x cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_names_that_lead_nowhere(numbers: Registry[int], name: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        numbers.get(name)


@pytest.mark.parametrize(
    ("name", "thing", "message"),
    [
        ("one", 5, "it is built in already"),
        ("two", 5, "the entry point builtins:True has that name already"),
        ("again", 5, "it is registered already"),
        ("A name", 5, "a name is of a-z"),
        ("text", "five", "number text: str: it must be an instance of builtins.int"),
    ],
)
def test_what_cannot_be_registered(numbers: Registry[int], name: str, thing: object, message: str) -> None:
    numbers.register("again", 1)
    with pytest.raises(InputError, match=message):
        numbers.register(name, thing)  # type: ignore[arg-type]


def test_code_of_a_plugin_enters_digests(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        (plugin,) = plugins.load([written(tmp_path, text)])
        return Code((plugin.module,)).digest()

    first = digest("x = 1\n")
    assert digest("x = 1  # one\n") == first
    assert digest("x = 2\n") != first


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("quits.py", "import sys\n\nsys.exit(0)\n", "quits.py:3: SystemExit: 0"),
        ("co:lon.py", "x = 1\n", "`:` stands between the names of MOHAQ_PLUGINS"),
    ],
)
def test_what_cannot_be_a_plugin(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        plugins.load([written(tmp_path, text, name)])


def test_an_empty_name_is_no_plugin() -> None:
    with pytest.raises(InputError, match="a plugin's name is empty"):
        plugins.load([""])


def test_a_process_that_was_sent_a_plugin_keeps_it_when_its_file_changes(tmp_path: Path) -> None:
    path = written(tmp_path, "VALUE = 7\n")
    sent = plugins.SentPlugins(tuple(plugins.load([path])))
    path.write_text("VALUE = 8\n")
    program = (
        "import pickle\nfrom simulators.inputs import plugins\n"
        f"(plugin,) = pickle.loads({pickle.dumps(sent)!r}).plugins\n"
        "import sys\nplugins.load_from_environment()\n"
        "print(sys.modules[plugin.module].VALUE, len(plugins.loaded()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "7 1\n", done.stderr


def test_a_link_that_leads_to_itself_is_no_plugin(tmp_path: Path) -> None:
    (tmp_path / "p.py").symlink_to("p.py")
    with pytest.raises(InputError, match="no such file: a plugin is a Python file"):
        plugins.load([tmp_path / "p.py"])
