"""Statements of C over arrays of floats, of which those that are needed at different times share their memory."""

import re
from dataclasses import dataclass

import numpy as np
import torch

from quant.exports.c_header import c_array, c_floats

_MENTION = re.compile(r"⟨(\d+):(\d+)⟩")
"""What stands for an element of an array until it is known where that lies: its number, and the element's."""


@dataclass(frozen=True)
class View:
    """Elements of an array, from one on, in order, as a tensor of these sizes."""

    array: int
    """The array's number."""
    offset: int
    """The first element's place in it."""
    shape: tuple[int, ...]
    """Sizes, in elements."""

    @property
    def size(self) -> int:
        """How many elements it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def text(self) -> str:
        """The address of its first element, for statements."""
        return f"⟨{self.array}:{self.offset}⟩"

    def reshaped(self, shape: tuple[int, ...]) -> "View":
        """These elements, in this order, as a tensor of other sizes."""
        return View(self.array, self.offset, shape)


class CProgram:
    """Arrays and the statements that fill them, in order."""

    def __init__(self) -> None:
        self.constants: list[str] = []
        """Definitions of constant arrays and structures."""
        self.code_elements, self.row_elements = 1, 1
        """The most codes that a product reads, and the most columns that a matrix has."""
        self._sizes: list[int] = []
        self._named: dict[int, str] = {}
        self._statements: list[str] = []
        self._known: dict[tuple[int, ...], View] = {}

    def named(self, name: str, shape: tuple[int, ...]) -> View:
        """An array that C has by a name: an argument, or a constant."""
        view = self.temporary(shape)
        self._named[view.array] = name
        return view

    def temporary(self, shape: tuple[int, ...]) -> View:
        """A new array in the memory that is shared."""
        self._sizes.append(int(np.prod(shape, dtype=np.int64)))
        return View(len(self._sizes) - 1, 0, shape)

    def constant(self, value: torch.Tensor) -> View:
        """A constant array of a tensor's values as floats, one for each memory."""
        key = (value.data_ptr(), *value.shape, *value.stride())
        if key not in self._known or not value.numel():
            name = self.new_name("values")
            self.constants.append(c_floats(name, value.detach().float().contiguous().numpy().ravel()))
            self._known[key] = self.named(name, tuple(value.shape))
        return self._known[key]

    def name_of(self, view: View) -> str:
        """The name of a constant array."""
        return self._named[view.array]

    def table(self, values: np.ndarray) -> str:
        """A constant array of whole numbers, by its name."""
        name = self.new_name("places")
        self.constants.append(c_array("int32_t", name, values.ravel().tolist()))
        return name

    def new_name(self, stem: str) -> str:
        """A name of C that no other constant has."""
        return f"NAME_{stem}_{len(self.constants)}"

    def add(self, statement: str) -> None:
        """A statement, which mentions arrays by their views' texts."""
        self._statements.append(statement)

    @property
    def statements(self) -> list[str]:
        """All statements, with the addresses of arrays in them."""
        places = self._places()

        def address(found: re.Match[str]) -> str:
            array, offset = int(found[1]), int(found[2])
            name, first = (self._named[array], offset) if array in self._named else ("values", places[array] + offset)
            return f"({name} + {first})" if first else name

        return [_MENTION.sub(address, statement) for statement in self._statements]

    @property
    def scratch_elements(self) -> int:
        """Elements of the memory that is shared."""
        return max([1, *(place + self._sizes[array] for array, place in self._places().items())])

    def _places(self) -> dict[int, int]:
        """Where each array begins: the first place that nothing has which is mentioned between its first mention and
        its last."""
        spans: dict[int, tuple[int, int]] = {}
        for i, statement in enumerate(self._statements):
            for found in _MENTION.finditer(statement):
                array = int(found[1])
                if array not in self._named:
                    spans[array] = (spans.get(array, (i, i))[0], i)
        places: dict[int, int] = {}
        for array in sorted(spans, key=lambda array: (spans[array][0], -self._sizes[array])):
            first, last = spans[array]
            beside = sorted(
                (places[other], places[other] + self._sizes[other])
                for other in places
                if spans[other][1] >= first and spans[other][0] <= last
            )
            place = 0
            for begin, end in beside:
                if place + self._sizes[array] <= begin:
                    break
                place = max(place, end)
            places[array] = place
        return places
