"""What a run's results depend on: a run is resumed only where all of it is the same."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from search.evaluation.beacon_files import digest_of_carried
from search.evaluation.model import Model, code_of
from search.methods.method import Method
from search.methods.registry import METHODS
from search.objectives.registry import other_than_built_in
from search.settings.experiment import GIVEN, Experiment
from search.space.hardware_variants import Hardware
from simulators.inputs import plugins
from simulators.inputs.code_digest import OWN, Code, tree_digest
from simulators.inputs.source_locations import or_else_under
from simulators.run.cost_code import cost_code

Identity = dict[str, dict[str, Any]]
"""The parts `experiment` and `digests`."""


def digest_of(parts: Iterable[str]) -> str:
    """sha256 of several texts in their order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def digest_of_hardware(hardware: Hardware) -> str:
    """sha256 of all variants' specs."""
    return digest_of(variant.arch.digest for variant in hardware)


def identity_of(experiment: Experiment, hardware: Hardware, model: Model, method: Method | None) -> Identity:
    """All that a run's results depend on: digests by the names that a message has for them. The model's data are read
    or synthesised now. `method` is one that was given in Python. Raises KeyedError for data that cannot be read."""
    with or_else_under("model" if experiment.corpus_root is None else "corpus_root"):
        data = str(model.data_digest)
    digests = {
        "model": model.digest,
        "data": data,
        **_hardware_digests(experiment, hardware, model),
        **_carried_digests(experiment),
        **plugin_digests(),
        **_installed_digests(experiment, method),
    }
    return {"experiment": experiment.to_dict(), "digests": digests}


def _hardware_digests(experiment: Experiment, hardware: Hardware, model: Model) -> dict[str, str]:
    code_of_model = code_of(model).digest()
    platforms = sorted({cost_code(variant.arch.platform).digest() for variant in hardware})
    if not experiment.hardware:
        part, digest, (simulator,) = "arch", hardware.variants[0].arch.digest, platforms
    else:
        part, digest, simulator = "hardware", digest_of_hardware(hardware), digest_of(platforms)
    return {part: digest, "code of the model": code_of_model, "code of the simulator": simulator}


def _carried_digests(experiment: Experiment) -> dict[str, str]:
    """The beacons of other runs that a search begins with."""
    if experiment.beacons is None or not experiment.beacons.carry:
        return {}
    return {"carried beacons": digest_of_carried(experiment.beacons)}


def plugin_digests() -> dict[str, str]:
    """The plugin files that were run in this process, by their names: syntax trees, for a comment decides nothing."""
    by_name: dict[str, list[str]] = {}
    for plugin in plugins.loaded():
        by_name.setdefault(f"plugin {Path(plugin.path).name}", []).append(tree_digest(plugin.text))
    return {name: trees[0] if len(trees) == 1 else digest_of(sorted(trees)) for name, trees in by_name.items()}


def _installed_digests(experiment: Experiment, method: Method | None) -> dict[str, str]:
    """The modules of objectives and methods that are neither mohaq's nor of a plugin file."""
    modules = {f"objective {o.name}": o.function.__module__ for o in other_than_built_in(experiment.objectives)}
    if method is not None:
        modules["method"] = type(method).__module__
    elif GIVEN not in experiment.method:
        modules["method"] = METHODS.get(experiment.method).__module__
    return {
        what: Code((module,)).digest()
        for what, module in modules.items()
        if module.split(".")[0] not in (*OWN, plugins.PACKAGE)
    }
