"""The commands that reproduce a point of a report, for a user to copy into a shell.

Bits come from the files of a run that others may have made: `search.report.data` has checked them, and every word is
quoted all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search.evaluation.beacon_files import beacon_file
from search.settings.experiment import Experiment
from search.space.hardware_variants import Hardware
from simulators.inputs.escapes import shell_command, shell_word


@dataclass(frozen=True)
class Commands:
    """The parts that commands are made of; `evaluate` and `trace` are empty for a model that is no checkpoint."""

    folder: Path
    experiment: Experiment
    digests: Mapping[str, str]
    """What the run depends on: see `search.runs.identity`."""
    evaluate: tuple[str, ...]
    """Words of `mohaq evaluate` up to the bits."""
    trace: str
    """`mohaq trace` up to the bits."""
    simulate: tuple[str, ...]
    """For each variant, the options of `mohaq simulate` behind the trace."""

    @classmethod
    def of(
        cls, folder: Path, experiment: Experiment, hardware: Hardware, digests: Mapping[str, str], checkpoint: bool,
        sends: bool,
    ) -> "Commands":  # fmt: skip
        """The commands of a run; `sends`: what its candidates cost depends on what they send."""
        length = ["--utterance", "0", *_corpus(experiment)] if sends else ["--steps", str(experiment.steps)]
        words = ["mohaq", "trace", "--model", experiment.model, *_data(experiment), *length]
        trace = shell_command(words)
        simulate = tuple(shell_command(variant.options) for variant in hardware)
        evaluate = _evaluate(experiment) if checkpoint else ()
        return cls(folder, experiment, digests, evaluate, trace if checkpoint else "", simulate)

    def evaluate_with(self, beacon: str) -> str:
        """`evaluate`, with a beacon's parameters in the model's place if one is named."""
        words, settings = list(self.evaluate), self.experiment.retraining
        if words and beacon and settings:
            file = str(beacon_file(self.folder, settings, self.digests, beacon))
            if self.experiment.data is None:
                words[words.index("--model") + 1] = file
            elif "--weights" in words:
                words[words.index("--weights") + 1] = file
            else:  # a network of one's own, whose file alone has its graph
                words += ["--weights", file]
        return shell_command(words)

    def error_of(self, bits: str, beacon: str = "") -> list[str]:
        """What evaluates a candidate."""
        return [f"{self.evaluate_with(beacon)} --bits {shell_word(bits)}"] if self.evaluate else []

    def cost_of(self, bits: str, variant: int, file: str) -> list[str]:
        """What makes a candidate's trace and simulates it."""
        made = f"{self.trace} --bits {shell_word(bits)} --out {shell_word(file)}"
        return [made, *self.cost_of_trace(file, variant)] if self.trace else []

    def cost_of_trace(self, file: str, variant: int) -> list[str]:
        """What simulates a trace that there is."""
        argument = f"./{file}" if file.startswith("-") else file  # or it were an option
        return [f"mohaq simulate {shell_word(argument)} {self.simulate[variant]}"]


def _data(experiment: Experiment) -> list[str]:
    """Options that say what a network of one's own is given, and which weights it has."""
    given = {"--data": experiment.data, "--weights": experiment.weights}
    return [word for option, value in given.items() if value is not None for word in (option, value)]


def _corpus(experiment: Experiment) -> list[str]:
    """Options of `mohaq trace` that say whose utterance it is of, where it is of one."""
    return [] if experiment.corpus_root is None else _of_corpus(Path(experiment.corpus_root))


def _of_corpus(root: Path) -> list[str]:
    from quant.speech.digits import is_digits

    return ["--corpus", "fsdd" if is_digits(root) else "timit", "--root", str(root)]


def _evaluate(experiment: Experiment) -> tuple[str, ...]:
    words = ["mohaq", "evaluate", "--model", experiment.model, *_data(experiment)]
    if experiment.corpus_root is not None:
        words += _of_corpus(Path(experiment.corpus_root))
    clipping = experiment.clipping
    words += ["--clipping", clipping.weights] if clipping.weights != "mse" else []
    words += ["--activation-clipping", clipping.activations] if clipping.activations != "mse" else []
    words += ["--per-channel"] if clipping.per_channel else []
    words += ["--every", str(experiment.every)] if experiment.every > 1 else []
    return tuple(words)
