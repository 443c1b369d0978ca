"""Builds graphs of ONNX node by node. Constants are named by what they hold, so that equal ones are stored once, and
lie in the outermost graph, whose names a loop's body sees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

OPSET = 21
"""Version of ONNX's operators: the first whose quantizers have 4 and 16 bits."""
IR_VERSION = 10
"""Version of the file format that came with it."""


class OnnxBuilder:
    """Nodes of one graph; `body` makes that of a loop inside."""

    def __init__(self, outer: OnnxBuilder | None = None):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = outer.constants if outer else {}
        self._names: dict[str, int] = outer._names if outer else {}

    def name(self, of: str) -> str:
        """A name that nothing has yet: `of`, and a number from the second on."""
        count = self._names[of] = self._names.get(of, -1) + 1
        return f"{of}_{count}" if count else of

    def op(self, kind: str, *inputs: str, name: str = "", domain: str = "", **attributes: int | str | list[int]) -> str:
        """Append a node of one output; returns the output's name, which begins with `name`."""
        from onnx import helper

        output = self.name(name or kind.lower())
        node = helper.make_node(kind, list(inputs), [output], name=output, domain=domain)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, values: np.ndarray | np.float32 | float, kind: type | None = None, name: str = "") -> str:
        """A tensor of values, float64 for Python's numbers unless `kind` says another type; returns its name."""
        from onnx import numpy_helper

        array = np.asarray(values, kind or (None if isinstance(values, np.ndarray) else np.float64))
        key = name or f"c_{hashlib.sha256(array.tobytes() + f'{array.dtype}{array.shape}'.encode()).hexdigest()[:12]}"
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, key)
        return key

    def four_bits(self, codes: np.ndarray, name: str) -> str:
        """A tensor of whole numbers of 4 bits, two a byte, the first in the lower half."""
        from onnx import TensorProto, helper

        flat = np.append(codes.ravel() & 15, np.zeros(codes.size % 2, np.int64))
        raw = (flat[::2] | flat[1::2] << 4).astype(np.uint8).tobytes()
        self.constants[name] = helper.make_tensor(name, TensorProto.INT4, codes.shape, raw, raw=True)
        return name

    def turned(self, x: str) -> str:
        """`x` with its first axis in reverse order."""
        numbers = [self.constant(np.array([number], np.int64)) for number in (-1, np.iinfo(np.int64).min, 0)]
        return self.op("Slice", x, *numbers, numbers[0], name="turned")

    def cast(self, x: str, kind: type, name: str = "") -> str:
        """`x` as numbers of another type."""
        from onnx import helper

        return self.op("Cast", x, name=name or "cast", to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def scan(
        self,
        states: Sequence[str],
        sequence: str,
        step: Callable[[OnnxBuilder, Sequence[str], str], tuple[Sequence[str], str]],
        name: str,
    ) -> str:
        """A loop over the first axis of `sequence`. `step` makes the next states and a result of the states before and
        an element. Returns the results."""
        from onnx import helper

        body = OnnxBuilder(self)
        before = [body.name(f"{name}.before") for _ in states]
        element = body.name(f"{name}.element")
        after, result = step(body, before, element)
        kept, out = [body.op("Identity", x) for x in after], body.op("Identity", result)
        graph = helper.make_graph(
            body.nodes, name, [_untyped(each) for each in (*before, element)], [_untyped(each) for each in (*kept, out)]
        )
        last = [self.name(f"{name}.last") for _ in states]
        results = self.name(name)
        self.nodes.append(
            helper.make_node(
                "Scan", [*states, sequence], [*last, results], name=results, body=graph, num_scan_inputs=1
            )
        )  # fmt: skip
        return results


def _untyped(name: str) -> onnx.ValueInfoProto:
    from onnx import ValueInfoProto

    return ValueInfoProto(name=name)
