"""The application that commands are added to, its two consoles, and the one line that bad input gets.

Start-up loads what `simulators` needs and no more, and so `simulate` works where nothing else is installed: a command
that needs torch or pymoo imports them when it runs.
"""

import inspect
import os
import shutil
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from mohaq.interruption import Interruption
from simulators.inputs import compile_notice, plugins
from simulators.inputs.errors import InputError, LoweringError
from simulators.inputs.terminal import Terminal, drop_output, flush_output, open_streams

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Which bits for which layer, on which hardware, at what error, latency and energy?",
)
arch_app = typer.Typer(no_args_is_help=True, help="Architecture specs: the hardware, in YAML.")
app.add_typer(arch_app, name="arch")
out, err = Terminal(), Terminal(stderr=True)

Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        is_eager=True,
        callback=lambda files: plugins.load(files or []) and None,
        help="Python that registers platforms, cells, objectives or methods of your own; may be repeated, and named in "
        f"`{plugins.VARIABLE}`.",
    ),
]


def command(name: str | None = None, *, epilog: str, group: typer.Typer = app) -> Callable[[Any], Any]:
    """Make a function a command, with the option `--plugin`, whose files are run before anything else."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*arguments: Any, plugin_files: None = None, **options: Any) -> Any:
            return function(*arguments, **options)

        own = inspect.signature(function)
        extra = inspect.Parameter("plugin_files", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Plugins)
        run.__signature__ = own.replace(parameters=[*own.parameters.values(), extra])  # type: ignore[attr-defined]
        run.__annotations__ = {**function.__annotations__, "plugin_files": Plugins}
        return group.command(name, epilog=epilog)(run)

    return decorate


EXTRAS = {
    "torch": "quant",
    "safetensors": "quant",
    "kaldi_native_fbank": "quant",
    "onnx": "onnx",
    "pymoo": "search",
    "matplotlib": "search",
    "plotly": "search",
    "espeakng_loader": "corpus",
    "distributed": "dask",
}
"""The extra of mohaq that brings a module that is not installed."""

LEAST_HELP = 60
"""Columns that help texts have at least; a narrower terminal folds their lines."""
MOST_SAID, END_SAID = 2000, 500
"""Characters of an error, and of its end where its middle is left out: what it quotes may be as long as a file."""
DEFECT = 70
"""Exit code: a platform's lowering is wrong (EX_SOFTWARE of sysexits.h)."""


def note(lines: list[str]) -> None:
    """What a user should know beside the results, which may go to a program."""
    for line in lines:
        err.say(f"mohaq: {line}")


def main(interruption: Interruption) -> None:
    """Entry point: whatever a user can mend is one line on standard error and exit code 2."""
    from mohaq.commands import hardware, evaluation, models_delta, models, models_training, searches  # noqa: F401, I001 (they add their commands, in --help's order)

    if shutil.get_terminal_size().columns < LEAST_HELP:
        os.environ.setdefault("TERMINAL_WIDTH", str(LEAST_HELP))  # typer's
    try:
        with interruption.deciding():
            open_streams()
            if sys.stderr.isatty():
                compile_notice.tell_once(lambda: note(["compiling kernels: once on this machine, up to a minute"]))
            code = app(_with_optional_files(sys.argv[1:]), standalone_mode=False)
        flush_output()
    except InputError as error:
        code = _complain(str(error), error.exit_code)
    except LoweringError as error:
        code = _complain(f"a defect of the platform, not of what you gave it: {error}", DEFECT)
    except BrokenPipeError:  # the reader of our output has gone: `mohaq arch show … | head`
        drop_output()
        code = 1
    except OSError as error:
        code = _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        code = _complain(f"this command needs {error.name}: pip install 'mohaq[{EXTRAS[error.name]}]'")
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer raises for arguments that it cannot use
            raise
        text = error.format_message()  # empty where no command was given and the help was shown
        code = _complain(f"{text} Try --help.") if text else 2
    sys.exit(code)


def _complain(text: str, code: int = 2) -> int:
    if len(text) > MOST_SAID:
        text = f"{text[: MOST_SAID - END_SAID]} … {text[-END_SAID:]}"
    err.say(f"mohaq: {text}", style="red")
    return code


def _with_optional_files(arguments: list[str]) -> list[str]:
    """`--json` and `--csv` of `simulate` and `compare` may stand without a file: give them `-`, standard output."""
    if arguments[:1] not in (["simulate"], ["compare"]):
        return arguments
    completed: list[str] = []
    for i, argument in enumerate(arguments):
        completed.append(argument)
        if argument in ("--json", "--csv"):
            following = arguments[i + 1] if i + 1 < len(arguments) else "--"
            if following.startswith("-") and following != "-":
                completed.append("-")
    return completed
