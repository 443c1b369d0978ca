"""The order in which a search without a barrier asked and told, as its ledger has it."""

from typing import Annotated, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from search.evaluation.ledger import Ledger
from search.space.genome import Genes
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import json_as


class Ask(NamedTuple):
    """A method was asked for so many points at most, and asked for these."""

    number: int
    genes: Genes
    """(N, genes)"""


class Tell(NamedTuple):
    """A method was told of points."""

    positions: list[int]
    """Their positions among all that were asked for."""


Count = Annotated[int, Field(ge=0, le=1 << 31)]


class OrderRow(BaseModel):
    """A row of the order: the number of generations before it begins, an ask, or a tell."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    begin: Count | None = None
    """Generations with a barrier before."""
    ask: Count | None = None
    """How many points were asked for at most."""
    genes: list[list[Count]] | None = None
    """Gene vectors that the method asked for."""
    tell: list[Count] | None = None
    """Positions of the points that the method was told of, among all that it asked for."""

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.model_fields_set not in ({"begin"}, {"ask", "genes"}, {"tell"}):
            raise ValueError("it must be one of begin, ask with genes, and tell")
        return self


class RecordedOrder:
    """What was asked and told up to now, to which more is added: each is in the ledger before it is used."""

    def __init__(self, ledger: Ledger):
        """Raises InputError for a ledger that holds what no search wrote."""
        self._ledger = ledger
        try:
            self._events = [json_as(OrderRow, text, str(ledger.path)) for text in ledger.events()]
            if any((event.begin is None) == (i == 0) for i, event in enumerate(self._events)):
                raise InputError(f"{ledger.path}: begin: it must stand first, and once")
        except InputError as error:
            raise InputError(f"{error}: the order of a search was changed: one made anew writes its own") from None

    @property
    def begun(self) -> bool:
        """Whether a search without a barrier began."""
        return bool(self._events)

    @property
    def begins_at(self) -> int:
        """How many generations had a barrier before."""
        return self._events[0].begin or 0

    def begin(self, generations: int) -> None:
        """Note that a search has no barrier after so many generations."""
        self._write(OrderRow(begin=generations))

    def asks_and_tells(self) -> list[Ask | Tell]:
        """Everything that was asked and told, in its order."""
        return [
            Ask(event.ask or 0, np.array(event.genes, np.int64)) if event.tell is None else Tell(event.tell)
            for event in self._events[1:]
        ]

    def asked(self, ask: Ask) -> None:
        """Note what was asked for."""
        self._write(OrderRow(ask=ask.number, genes=ask.genes.tolist()))

    def told(self, tell: Tell) -> None:
        """Note what is told next."""
        self._write(OrderRow(tell=tell.positions))

    def _write(self, event: OrderRow) -> None:
        self._ledger.write_event(event.model_dump_json(exclude_unset=True))
        self._events.append(event)
