"""A campaign on a terminal: one bar over all of its searches, and what became of each."""

from search.campaign.running import Campaign
from search.runs.run_reader import load_run
from search.runs.search_display import SearchDisplay, console_of, print_runs
from simulators.inputs.terminal import Terminal


class CampaignDisplay(SearchDisplay):
    """A `CampaignProgress` on standard error; a context, as a search's is. The bar counts the candidates of all
    searches, so that its estimate is of the whole."""

    def __init__(self, console: Terminal | None = None):
        super().__init__(console)
        self._number, self._of = 1, 1

    def begins(self, number: int, of: int, label: str) -> None:
        """The next search; in a log, a line."""
        self._number, self._of, self._label = number, of, f"{label} ({number} of {of}), "
        self._seen.clear()
        self._best = float("inf")
        if not self._console.is_terminal:
            self._console.say(f"run {number} of {of}: {label}")

    def started(self, candidates: int) -> None:
        """Begin the bar, or go on where the searches before this one end: all have as many candidates."""
        self._before = candidates * (self._number - 1)
        if self._task is None:
            super().started(candidates * self._of)
        self._bar.update(self._task, completed=self._before, description=f"{self._label}baselines")  # type: ignore[arg-type]


def print_campaign(campaign: Campaign, console: Terminal | None = None) -> None:
    """The searches that found a front, those that did not, and where the report is."""
    console = console_of(console)
    if campaign.finished:
        print_runs([load_run(folder) for folder in campaign.finished], console)
    for label, why in campaign.failures.items():
        console.say(f"{label}: {why}")
    if campaign.report is not None:
        console.say(f"report: {campaign.report}")
