"""Which axis of what a product reads is that of time, found by following the axes of values through a graph.

Recurrent layers and scans declare it: the axis of what they read that they go along, and the one of what they leave.
Every axis of the graph's inputs, and every axis that is declared, has a label; operations hand labels on as they keep
axes. An axis that is not followed has none."""

from collections.abc import Mapping, Sequence
from math import prod

import torch

from quant.graphs.call import Scope
from quant.graphs.graph import Node

Label = str | None
"""What an axis is known as; None where it was not followed."""
FEATURES = ""
"""Label of axes that an operation makes, of features, channels or directions: they are never time."""

_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_IN_PLACE = frozenset({
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "Pad", "Slice", "Split", "Concat", "Resize",
    "Softmax", "LogSoftmax", "BatchNormalization", "LayerNormalization", "InstanceNormalization",
    "GroupNormalization", "LpNormalization", "RMSNormalization", "MeanVarianceNormalization", "CumSum",
})  # fmt: skip
"""What keeps every axis where it is, at whatever size: of a convolution but for the channels."""
_REORDERS = frozenset({
    "Einsum", "DepthToSpace", "SpaceToDepth", "GatherElements", "GatherND", "ScatterND", "ScatterElements", "Scatter",
    "Tile", "TopK", "Trilu", "OneHot", "STFT", "If", "ReverseSequence", "Range", "NonZero",
})  # fmt: skip
"""Behind these, which axis is which is not followed."""


class TimeAxes:
    """Labels of the axes of values by name, while a graph is computed node by node."""

    def __init__(self, given: Mapping[str, torch.Tensor]):
        self._of: dict[str, tuple[Label, ...]] = {
            name: tuple(f"{name}:{axis}" for axis in range(value.dim())) for name, value in given.items()
        }
        self._same: dict[str, str] = {}
        self._declared: set[str] = set()

    def of(self, value: str) -> tuple[Label, ...] | None:
        """The labels of a value's axes; None where nothing is known of it, as of constants."""
        return self._of.get(value)

    def is_time(self, label: Label) -> bool:
        """Whether an axis of a label is one that a recurrence goes along."""
        return bool(label) and self._root(str(label)) in {self._root(each) for each in self._declared}

    def follow(self, node: Node, scope: Scope) -> None:
        """Label the results of a node that was computed."""
        results = [(name, scope.value(name)) for name in node.outputs if name and name in scope.values]
        if node.op in _RECURRENT:
            self._recurrent(node, scope)
            return
        if node.op == "Scan":
            self._scan(node)
            return
        if node.op == "Loop":
            self._loop(node)
            return
        for name, value in results:
            self._of[name] = self._carried(node, scope, value)

    def _recurrent(self, node: Node, scope: Scope) -> None:
        axis = 1 if node.attributes.get("layout", 0) else 0
        time, known = self._declare(node, node.inputs[0], axis), self._of.get(node.inputs[0])
        batch = known[1 - axis] if known else None
        order = (batch, time, FEATURES, FEATURES) if axis else (time, FEATURES, batch, FEATURES)
        if node.outputs and node.outputs[0]:
            self._of[node.outputs[0]] = order
        for name in node.outputs[1:]:
            self._of[name] = (batch, FEATURES, FEATURES) if axis else (FEATURES, batch, FEATURES)

    def _scan(self, node: Node) -> None:
        sliced = int(node.attributes.get("num_scan_inputs", 1))
        read = node.inputs[-sliced:]
        axes = node.attributes.get("scan_input_axes", (0,) * len(read))
        times = [self._declare(node, name, axis) for name, axis in zip(read, axes, strict=True)]
        for time in times[1:]:
            self._join(times[0], time)
        kept = len(node.inputs) - sliced
        made = node.outputs[kept:]
        for name, axis in zip(made, node.attributes.get("scan_output_axes", (0,) * len(made)), strict=False):
            if name and axis >= 0:
                self._of[name] = (*(None,) * axis, times[0])

    def _loop(self, node: Node) -> None:
        """What a loop stacks has its iterations first."""
        for name in node.outputs[len(node.inputs) - 2 :]:
            label = f"{node.name or node.outputs[0]} iterations"
            self._declared.add(label)
            self._of[name] = (label,)

    def _declare(self, node: Node, read: str, axis: int) -> str:
        """The label of the axis of a value that a node goes along."""
        known = self._of.get(read)
        label = known[axis] if known and axis < len(known) and known[axis] else f"{node.name or node.outputs[0]} time"
        assert label is not None
        self._declared.add(label)
        return label

    def _carried(self, node: Node, scope: Scope, made: torch.Tensor) -> tuple[Label, ...]:
        nothing: tuple[Label, ...] = (None,) * made.dim()
        read = [(scope.value(name), self._labels(name, scope)) for name in node.inputs if name]
        if node.op in _REORDERS or not read:
            return nothing
        first, labels = read[0]
        if node.op == "Transpose":
            order = node.attributes.get("perm", tuple(range(first.dim()))[::-1])
            return tuple(labels[axis] for axis in order)
        if node.op in _RESHAPES:
            return _reshaped(first.shape, labels, made.shape)
        if node.op in ("Linear", "MatMul", "MatMulInteger"):
            return _multiplied(scope, node, read, made)
        if node.op == "Gather" or node.op.startswith(("Reduce", "Arg")):
            return _reduced(node, scope, first.dim(), labels, made)
        if node.op in _IN_PLACE:
            if first.dim() != made.dim():
                return nothing
            is_convolution = node.op.startswith("Conv") and node.op != "Concat"
            return (labels[0], FEATURES, *labels[2:]) if is_convolution and made.dim() > 1 else labels
        return self._broadcast(read, made)

    def _labels(self, name: str, scope: Scope) -> tuple[Label, ...]:
        dims = scope.value(name).dim()
        known = self._of.get(name, ())
        return (*known, *(None,) * (dims - len(known)))[:dims]

    def _broadcast(
        self, read: Sequence[tuple[torch.Tensor, tuple[Label, ...]]], made: torch.Tensor
    ) -> tuple[Label, ...]:
        """Labels of elementwise work, whose operands' axes are counted from the end."""
        found: list[Label] = []
        for back in range(made.dim(), 0, -1):
            names = [
                labels[-back] for value, labels in read
                if value.dim() >= back and value.shape[-back] == made.shape[-back] and labels[-back] is not None
            ]  # fmt: skip
            told = [name for name in names if name]
            for other in told[1:]:
                self._join(told[0], other)
            found.append(told[0] if told else (names[0] if names else None))
        return tuple(found)

    def _root(self, label: str) -> str:
        while label in self._same:
            label = self._same[label]
        return label

    def _join(self, a: str, b: str) -> None:
        """Two labels are of one axis."""
        a, b = self._root(a), self._root(b)
        if a != b:
            self._same[b] = a


def _reshaped(before: torch.Size, labels: tuple[Label, ...], after: torch.Size) -> tuple[Label, ...]:
    """Axes that have as many places, as far from each other, are the same ones."""
    strides = {(size, prod(before[axis + 1 :])): labels[axis] for axis, size in enumerate(before) if size > 1}
    return tuple(strides.get((size, prod(after[axis + 1 :]))) for axis, size in enumerate(after))


def _multiplied(
    scope: Scope, node: Node, read: Sequence[tuple[torch.Tensor, tuple[Label, ...]]], made: torch.Tensor
) -> tuple[Label, ...]:
    (a, of_a), (b, of_b) = read[0], read[1]
    if a.dim() == made.dim() and (node.op == "Linear" or not scope.is_constant(node.inputs[0])):
        last = FEATURES if scope.is_constant(node.inputs[1]) else of_b[-1]
        return (*of_a[:-1], last)
    if b.dim() == made.dim():
        return (*of_b[:-2], FEATURES, of_b[-1])
    return (None,) * made.dim()


def _reduced(node: Node, scope: Scope, dims: int, labels: tuple[Label, ...], made: torch.Tensor) -> tuple[Label, ...]:
    """Without the axes that a node reduces or picks from."""
    given = node.attributes.get("axes", node.attributes.get("axis"))
    if given is None and node.op.startswith("Reduce") and len(node.inputs) > 1 and node.inputs[1]:
        given = tuple(scope.value(node.inputs[1]).flatten().tolist())
    taken = {int(axis) % dims for axis in (given if isinstance(given, tuple) else (given or 0,))}
    if made.dim() == dims:
        return tuple(None if axis in taken else label for axis, label in enumerate(labels))
    rest = tuple(label for axis, label in enumerate(labels) if axis not in taken)
    return rest if len(rest) == made.dim() else (None,) * made.dim()
