"""What is recognised: phones, or whole words. Each is a left-to-right model of some states."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quant.speech import phones


@dataclass(frozen=True)
class Units:
    """An inventory of models; an output class is state + states · index."""

    name: str
    names: tuple[str, ...]
    states: int
    """States of each unit: an occurrence takes as many frames at least."""
    silence: int
    """Index of the silence."""
    scores_silence: bool
    """Whether silence counts in the error rate, as it does among TIMIT's 39 phones."""
    unit: str
    """What one is called in a message."""

    @property
    def classes(self) -> int:
        """Outputs of a network."""
        return len(self.names) * self.states

    def merged(self, indices: Sequence[int]) -> list[int]:
        """A sequence with each run of silences merged to one."""
        return phones.merge_silence(indices, self.silence)

    def scored(self, indices: Iterable[int]) -> list[int]:
        """What the error rate counts."""
        return [i for i in indices if self.scores_silence or i != self.silence]


PHONES = Units("phones", phones.PHONES_39, 3, phones.SILENCE_INDEX, True, "phone")
DIGITS = Units(
    "digits", ("sil", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), 6, 0, False,
    "digit",
)  # fmt: skip
UNITS = {units.name: units for units in (PHONES, DIGITS)}
