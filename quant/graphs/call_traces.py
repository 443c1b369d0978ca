"""What calls of a graph compute, by the frames of the first one and by utterance."""

from collections.abc import Callable, Mapping

import torch

from quant.graphs.graph import Graph
from quant.graphs.graph_data import GraphData
from quant.graphs.graph_trace import GraphTrace
from simulators.inputs.errors import InputError

Given = Mapping[str, torch.Tensor]
"""Values of a call by the names of the inputs."""


class CallTraces:
    """Traces of calls, which do not depend on bits: each is made once."""

    def __init__(self, graph: Graph, data: GraphData, first: GraphTrace, traced: Callable[[Given], GraphTrace]):
        """`first` is that of the first utterance's first call; `traced` makes another call's."""
        self.first = first
        self._graph, self._data, self._make = graph, data, traced
        self._by_frames = {first.frames: first}
        self._by_utterance: dict[int, GraphTrace] = {}

    def over(self, frames: int) -> GraphTrace:
        """The trace of the first call, cut or repeated to so many frames. Raises InputError where that does not give
        them."""
        if frames not in self._by_frames:
            try:
                made = self._make(self._resized(frames))
            except InputError as error:
                raise InputError(f"{frames} frames: the first call has {self.first.frames}: {error}") from None
            if made.frames != frames:
                raise InputError(f"{frames} frames: the first call has {self.first.frames}, and no other number")
            self._by_frames[frames] = made
        return self._by_frames[frames]

    def can_be(self, frames: int) -> bool:
        """Whether the first call can be cut or repeated to so many frames."""
        try:
            self.over(frames)
        except InputError:
            return False
        return True

    def of_utterance(self, number: int) -> GraphTrace:
        """The trace of the first call of an utterance, counted from 0."""
        if number not in self._by_utterance:
            self._by_utterance[number] = self._make(next(self._data.calls(self._data.utterances[number])))
        return self._by_utterance[number]

    def _resized(self, frames: int) -> dict[str, torch.Tensor]:
        """The first call, cut or repeated along the axes that grow with its frames: those that the network leaves open
        or that have a place for each, but for a batch in front."""
        shapes = {entry.name: entry.shape or () for entry in self._graph.inputs}
        given, present = {}, self.first.frames
        for name, value in next(self._data.calls(self._data.utterances[0])).items():
            for axis, size in enumerate(value.shape):
                is_open = not isinstance(shapes[name][axis] if shapes[name] else None, int) or size == present
                if is_open and axis and size > 1 and name not in self._data.settings.state:
                    wanted = max(1, size * frames // present)
                    times = [1] * value.dim()
                    times[axis] = -(-wanted // size)
                    value = value.repeat(times).narrow(axis, 0, wanted)
            given[name] = value
        return given
