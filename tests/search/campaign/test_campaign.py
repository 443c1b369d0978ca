"""One file over several models and platforms: what is refused, what is shared, and what a failure or a kill leaves."""

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from stand_in import StandInError, StandInModel

from search.campaign.display import CampaignDisplay, print_campaign
from search.campaign.members import Member, members_of
from search.campaign.running import CampaignIncomplete, _is_finished, run_campaign
from search.evaluation.executors.executor import Finished, Group, Inline, Recognition
from search.evaluation.ledger import Ledger
from simulators.inputs.errors import InputError
from simulators.inputs.terminal import Terminal

SMALL = "population: 8\noffspring: 4\ngenerations: 2\nsteps: 5\nmethod: nsga2\n"
OUTPUTS = ("pareto.csv", "pareto.json")


def members(folder: Path, text: str = "models: [one, two]\narchs: [bitfusion, silago]\n") -> tuple[Member, ...]:
    path = folder / "pairs.yaml"
    path.write_text("name: pairs\n" + text + SMALL)
    return members_of(path)


def models() -> dict[str, StandInModel]:
    return {"one": StandInModel(digest="one"), "two": StandInModel(digest="two")}


def evaluated(model: StandInModel) -> int:
    return len(model.evaluations)


def test_a_file_is_a_search_of_each_pair(tmp_path: Path) -> None:
    found = members(tmp_path)
    assert [member.label for member in found] == ["one-bitfusion", "one-silago", "two-bitfusion", "two-silago"]
    assert {(member.experiment.model, member.experiment.arch) for member in found} == {
        (model, arch) for model in ("one", "two") for arch in ("bitfusion", "silago")
    }
    assert [member.label for member in members(tmp_path, "archs: [silago]\n")] == ["sru-silago"]
    assert members(tmp_path, "model: sru\n") == ()  # of one search


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [one]\nmodel: two\n", r"pairs.yaml:3:\d+: model: 'two': models names several"),
        ("models: []\n", r"pairs.yaml:2:\d+: models: .*expected a list"),
        ("models: sru\n", r"pairs.yaml:2:\d+: models: 'sru': expected a list"),
        ("models: [one, 3]\n", r"pairs.yaml:2:15: models\[1\]: 3: expected a name"),
        ("archs: [silago, silago]\n", r"pairs.yaml:2:17: archs\[1\]: silago: named twice"),
        ("archs: [a/x.yaml, b/x.yaml]\n", r"pairs.yaml:2:19: archs\[1\]: sru-x: two runs"),
        (
            f"models: [{', '.join(f'm{i}' for i in range(1001))}]\n",
            r"pairs.yaml:1:1: 1001 pairs of models and archs: at most 1000",
        ),
        ("models: [one]\nseeed: 1\n", r"pairs.yaml:3:\d+: seeed: .*seed"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        members(tmp_path, text)


def test_hardware_that_there_is_not_is_said_before_anything_runs(tmp_path: Path) -> None:
    given = models()
    with pytest.raises(InputError, match=r"pairs.yaml:3:20: .*nonesuch"):
        run_campaign(members(tmp_path, "models: [one]\narchs: [bitfusion, nonesuch]\n"), tmp_path / "out", models=given)
    assert evaluated(given["one"]) == 0
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_platforms_share_the_errors_of_a_model(tmp_path: Path) -> None:
    given = models()
    both = run_campaign(members(tmp_path), tmp_path / "both", models=given)
    assert [folder.name for folder in both.finished] == ["one-bitfusion", "one-silago", "two-bitfusion", "two-silago"]
    assert both.failures == {}
    for ending in ("html", "png", "csv"):
        assert (tmp_path / "both" / f"report.{ending}").stat().st_size
    alone = 0
    for arch in ("bitfusion", "silago"):
        own = models()
        run_campaign(members(tmp_path, f"models: [one]\narchs: [{arch}]\n"), tmp_path / arch, models=own)
        alone += evaluated(own["one"])
        for name in OUTPUTS:  # what is shared changes nothing but the time
            assert (tmp_path / arch / f"one-{arch}" / name).read_bytes() == (
                tmp_path / "both" / f"one-{arch}" / name
            ).read_bytes()
    assert evaluated(given["one"]) < alone
    names = [str(bits) for bits in given["one"].evaluations]
    assert len(names) == len({*names})


class Counting(Inline):
    """Counts the candidates that it is given."""

    given = 0

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[Finished]:
        self.given += sum(map(len, groups))
        return super().map(recognition, groups)


@pytest.mark.slow
def test_every_search_is_done_where_the_campaign_is_told(tmp_path: Path) -> None:
    where, given = Counting(), models()
    found = members(tmp_path, "models: [one]\narchs: [bitfusion, silago]\n")
    run_campaign(found, tmp_path / "out", models=given, executor=where)
    assert where.given == evaluated(given["one"]) > 0


@pytest.mark.slow
def test_a_member_over_hardware_is_searched_with_it(tmp_path: Path) -> None:
    grid = "hardware:\n- archs: [bitfusion]\n  grid: {array.rows: [4, 8]}\n"
    found = members(tmp_path, f"models: [one, two]\n{grid}")
    campaign = run_campaign(found, tmp_path / "out", models=models())
    assert [folder.name for folder in campaign.finished] == [member.label for member in found]
    for folder in campaign.finished:
        assert (folder / "sweep.json").is_file()


@pytest.mark.slow
def test_one_over_hardware_is_finished_by_the_method_that_ran(tmp_path: Path) -> None:
    """A method that knows bits only has another in its place there, which its record names."""
    members(tmp_path, "models: [one]\nhardware:\n- archs: [bitfusion]\n  grid: {array.rows: [4, 8]}\n")
    found = members_of(tmp_path / "pairs.yaml", {"method": "greedy"})
    (member,) = found
    (folder,) = run_campaign(found, tmp_path / "out", models=models()).finished
    assert _is_finished(folder, member.experiment, check=True)


@pytest.mark.slow
def test_one_that_comes_to_nothing_does_not_lose_the_others(tmp_path: Path) -> None:
    # The narrowest candidate of SiLago takes more than this, that of Bit Fusion less.
    found = members(tmp_path, "models: [one]\narchs: [silago, bitfusion]\nconstraints: {memory_mib: 0.001}\n")
    campaign = run_campaign(found, tmp_path / "out", models=models())
    assert [folder.name for folder in campaign.finished] == ["one-bitfusion"]
    assert [*campaign.failures] == ["one-silago"]
    assert "nothing is within" in campaign.failures["one-silago"]
    assert campaign.report is not None
    page = campaign.report.rename(tmp_path / "precious").read_text()
    campaign.report.symlink_to(tmp_path / "precious")  # by whoever had the folder between
    (tmp_path / "precious").write_text("mine")
    again = run_campaign(found, tmp_path / "out", resume=True, models=models())
    assert again == campaign
    assert (tmp_path / "precious").read_text() == "mine"
    assert not campaign.report.is_symlink()
    assert campaign.report.read_text() == page


@pytest.mark.slow
def test_a_campaign_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, whole = members(tmp_path), tmp_path / "whole"
    run_campaign(found, whole, models=models())
    parts = tmp_path / "parts"

    def evaluate(model: StandInModel, bits: dict[str, tuple[int, int]]) -> StandInError:
        if model.digest == "two" and len(model.evaluations) == 5:
            raise KeyboardInterrupt
        return whole_evaluate(model, bits)

    whole_evaluate = StandInModel.evaluate
    with monkeypatch.context() as patch:
        patch.setattr(StandInModel, "evaluate", evaluate)
        with pytest.raises(KeyboardInterrupt):
            run_campaign(found, parts, models=models())
    with pytest.raises(InputError, match="not empty: --resume continues"):
        run_campaign(found, parts, models=models())
    given = models()
    campaign = run_campaign(found, parts, resume=True, models=given)
    assert len(campaign.finished) == 4
    assert evaluated(given["one"]) == 0  # was finished
    for member in found:
        for name in OUTPUTS:
            assert (parts / member.label / name).read_bytes() == (whole / member.label / name).read_bytes()
    text = io.StringIO()
    with CampaignDisplay(Terminal(file=text, width=200)) as display:
        assert run_campaign(found, parts, resume=True, progress=display, models=models()) == campaign
    assert "run 4 of 4" in text.getvalue()
    assert "generation" not in text.getvalue()  # what is finished is not run again
    changed = models() | {"two": StandInModel(digest="changed")}
    with pytest.raises(InputError, match=r"two-bitfusion: the run to resume differs in model \(digests\)"):
        run_campaign(found, parts, resume=True, models=changed)
    longer = members_of(tmp_path / "pairs.yaml", {"generations": 3})
    run_campaign(longer, parts, resume=True, models=models())
    with closing(Ledger(parts / "one-bitfusion" / "ledger.sqlite")) as ledger:
        assert ledger.counts()["errors"] >= 8 + 3 * 4


class StopsInGeneration3(CampaignDisplay):
    """A display of somebody who stops the search."""

    def generation(self, number: int, of: int, candidates: int, front: int) -> None:
        if number == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_campaign_that_was_stopped_as_it_was_extended_goes_on(tmp_path: Path) -> None:
    text, file = "models: [one]\narchs: [bitfusion]\n", tmp_path / "pairs.yaml"
    run_campaign(members(tmp_path, text), tmp_path / "out", models=models())
    longer = members_of(file, {"generations": 5})
    with (
        pytest.raises(KeyboardInterrupt),
        StopsInGeneration3(Terminal(file=io.StringIO(), width=200)) as display,
    ):
        run_campaign(longer, tmp_path / "out", resume=True, progress=display, models=models())
    for resume, folder in ((True, "out"), (False, "at once")):
        run_campaign(longer, tmp_path / folder, resume=resume, models=models())
    for name in OUTPUTS:
        assert (tmp_path / "out" / "one-bitfusion" / name).read_bytes() == (
            tmp_path / "at once" / "one-bitfusion" / name
        ).read_bytes()


@pytest.mark.slow
def test_the_command_ends_with_1_where_one_came_to_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = members(tmp_path, "models: [one]\narchs: [silago, bitfusion]\nconstraints: {memory_mib: 0.001}\n")
    campaign = run_campaign(found, tmp_path / "out", models=models())
    print_campaign(campaign)
    with pytest.raises(CampaignIncomplete, match=r"^1 of 2 runs came to nothing: one-silago$") as raised:
        campaign.check()
    assert raised.value.exit_code == 1
    printed = capsys.readouterr().out
    assert "one-silago: constraints.memory_mib" in printed
    assert "report.html" in printed


def test_the_shipped_example_is_four_searches() -> None:
    assert [member.label for member in members_of("models-and-platforms")] == [
        "sru-bitfusion", "sru-silago", "gru-bitfusion", "gru-silago",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_bar_counts_the_candidates_of_all(tmp_path: Path) -> None:
    text = io.StringIO()
    with CampaignDisplay(Terminal(file=text, width=200)) as display:
        run_campaign(members(tmp_path, "models: [one]\narchs: [silago, bitfusion]\n"), tmp_path / "out",
                     progress=display, models=models())  # fmt: skip
    task = display._bar.tasks[0]
    assert len(display._bar.tasks) == 1
    assert (task.total, task.completed) == (2 * (8 + 2 * 4), 2 * (8 + 2 * 4))
    lines = text.getvalue()
    assert "run 2 of 2: one-bitfusion" in lines
    assert "one-bitfusion (2 of 2), generation 2/2" in lines
