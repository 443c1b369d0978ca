"""A run's folder while a report reads it: what its files say, held against the model that was searched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.sites.candidate import Bits
from quant.sites.delta_pair import thresholds_in
from search.evaluation.beacon_files import beacon_file
from search.evaluation.model import Model, Retrainable, solution_trace
from search.objectives.columns import WORST
from search.report.commands import Commands
from search.report.named_bits import bits_named
from search.runs.run_folder import CODESIGN, SEARCH
from search.runs.run_reader import StoredRun
from search.settings.experiment import Experiment
from search.space.hardware_variants import Hardware
from simulators import Trace
from simulators.inputs.errors import InputError


def of_utterances(row: Mapping[str, Any]) -> bool:
    """Whether the figures of a row are means over utterances, as those are that depend on what is sent."""
    return {*WORST} <= row.keys()


@dataclass(frozen=True)
class Reading:
    """A run's folder, while it is read."""

    label: str
    stored: StoredRun
    results: dict[str, Any]
    experiment: Experiment
    hardware: Hardware
    model: Model
    commands: Commands

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.stored.folder

    @property
    def results_file(self) -> Path:
        """The file that its results were read from."""
        return self.folder / (CODESIGN if self.stored.is_codesign else SEARCH).results_file

    def bits_of(self, row: Mapping[str, Any]) -> Bits:
        """The candidate of a row. Raises InputError where its bits are none of the model's."""
        try:
            return bits_named(row["bits"], self.model.sites)
        except InputError as error:
            raise InputError(f"{self.results_file}: {error}") from None

    def trace_of(self, row: Mapping[str, Any], steps: int) -> Trace:
        """The trace at the bits of a row: of the model, or, with thresholds, with the parameters of the row's beacon,
        which decide what is sent. Raises InputError where the beacon is lost."""
        bits, model = self.bits_of(row), self.model
        if thresholds_in(bits) and row.get("beacon") and self.experiment.beacons and isinstance(model, Retrainable):
            file = beacon_file(self.folder, self.experiment.beacons, self.stored.digests, row["beacon"])
            model = model.retrained_before(file.parent)
        return solution_trace(model, bits, steps)

    def check(self, names: Iterable[str]) -> None:
        """Raise InputError for a candidate that is none of the model's."""
        for name in dict.fromkeys(names):
            self.bits_of({"bits": name})
