"""An operator-wise GRU as an ONNX file of QuantizeLinear and DequantizeLinear pairs, where all widths are 8 or 16 bits.

ONNX Runtime computes the same bits as `OperatorGru.run`. What makes it so: all scales are powers of two, and
QuantizeLinear rounds ties to even, as here; sigmoid and tanh are tables with an entry for each code that they read, as
a Sigmoid of floats would round otherwise now and then; and where an operand has 16 bits, products and sums are in
float64, and are rounded there before they are quantized, for float32 does not hold them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, shifted, sigmoid, tanh
from quant.own.operator_gru import OperatorBits, OperatorGru
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole

if TYPE_CHECKING:
    import onnx

WIDTHS = (8, 16)
"""Widths that ONNX has integers of."""
OPSET = 21
"""The first in which QuantizeLinear makes 16 bits."""


def export_qdq(model: OperatorGru, bits: OperatorBits, path: Path) -> None:
    """Write a candidate as ONNX: inputs `x` (N, T, K) float32 and `steps` (N,) int64, output `scores` (N, classes)
    float32. Raises InputError for a width that is neither 8 nor 16, without the package onnx, and where the file cannot
    be written."""
    widths = model.widths_of(bits)
    for operator, width in widths.items():
        if width not in WIDTHS:
            raise InputError(f"bits of {operator}: {width}: ONNX has integers of 8 and 16 bits")
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise InputError("export to ONNX needs the package onnx: pip install 'mohaq[onnx]'") from None
    write_whole(path, _Graph(model, widths).model().SerializeToString())


class _Graph:
    """A graph under construction; names are those of operators where there is one."""

    def __init__(self, model: OperatorGru, widths: dict[str, int]):
        self.gru = model
        self.p = model.parameters
        self.widths = widths
        self.f = {operator: model.fraction(operator, width) for operator, width in widths.items()}
        self.wide = 16 in widths.values()
        self.real = np.float64 if self.wide else np.float32
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def node(self, kind: str, inputs: tuple[str, ...], name: str, **attributes: Any) -> str:
        """A node with one result."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{kind}_{name}", **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        """A constant."""
        self.constants[name] = value
        return name

    def type_of(self, operator: str) -> type[np.signedinteger[Any]]:
        """The integers of an operator."""
        return np.int8 if self.widths[operator] == 8 else np.int16

    def grid(self, operator: str) -> tuple[str, str]:
        """Scale and zero point of an operator."""
        scale = self.constant(f"{operator}.scale", np.array(2.0 ** -self.f[operator], np.float32))
        return scale, self.constant(f"{operator}.zero", np.array(0, self.type_of(operator)))

    def codes(self, operator: str, value: str, name: str | None = None) -> str:
        """A value quantized to an operator's codes. It has another name where an operator has several."""
        name = name or operator
        if self.wide and operator != "x":
            limit = 2 ** (self.widths[operator] - 1)
            step = self.constant(f"{operator}.step", np.array(2.0 ** -self.f[operator]))
            low = self.constant(f"{operator}.low", np.array(float(-limit)))
            high = self.constant(f"{operator}.high", np.array(float(limit - 1)))
            units = self.node("Div", (value, step), f"{name}.units")
            near = self.node("Round", (units,), f"{name}.near")
            held = self.node("Clip", (near, low, high), f"{name}.held")
            value = self.node("Mul", (held, step), f"{name}.on_grid")
            value = self.node("Cast", (value,), f"{name}.single", to=1)
        return self.node("QuantizeLinear", (value, *self.grid(operator)), f"{name}.codes")

    def back(self, operator: str, codes: str, name: str) -> str:
        """An operator's codes as values."""
        single = self.node("DequantizeLinear", (codes, *self.grid(operator)), f"{name}.value")
        return self.node("Cast", (single,), f"{name}.wide", to=11) if self.wide else single

    def through(self, operator: str, value: str) -> str:
        """A value as an operator holds it."""
        return self.back(operator, self.codes(operator, value), operator)

    def weights(self, operator: str, value: np.ndarray) -> str:
        """A weight matrix (M, K), stored as integers, turned for a product from the left."""
        limit = 2 ** (self.widths[operator] - 1)
        codes = np.clip(np.rint(value * 2.0 ** self.f[operator]), -limit, limit - 1)
        name = self.constant(f"{operator}.weights", codes.T.astype(self.type_of(operator)))
        return self.back(operator, name, operator)

    def bias(self, name: str, value: np.ndarray, fraction: int) -> str:
        """A bias in the format of the sums that it is added to."""
        return self.constant(name, (np.rint(value * 2.0**fraction) * 2.0**-fraction).astype(self.real))

    def looked_up(self, result: str, operand: str, codes: str) -> str:
        """An activation function by a table of the operand's codes."""
        width, fraction = self.widths[operand], self.f[operand]
        every = np.arange(-(2 ** (width - 1)), 2 ** (width - 1), dtype=np.int64)
        gates: Ints = (tanh if result == "n" else sigmoid)(every, fraction)
        limit = 2 ** (self.widths[result] - 1)
        entries = np.clip(shifted(gates, GATE_FRACTION - self.f[result]), -limit, limit - 1)
        table = self.constant(f"{result}.table", entries.astype(self.type_of(result)))
        at = self.node("Cast", (codes,), f"{result}.at", to=7)
        first = self.constant(f"{operand}.first", np.array(2 ** (width - 1), np.int64))
        index = self.node("Add", (at, first), f"{result}.index")
        return self.back(result, self.node("Gather", (table, index), f"{result}.codes"), result)

    def step(self) -> onnx.GraphProto:
        """The body of the loop over steps: states h and the step's number, and wx of the step → the next ones."""
        from onnx import TensorProto, helper, numpy_helper

        inside = _Graph(self.gru, self.widths)
        cells = len(self.p.bn)
        u = inside.weights("U", self.p.u)
        uh = inside.through("uh", inside.node("MatMul", ("h_before", u), "h_times_u"))
        inside.constant("thirds", np.array([cells] * 3, np.int64))
        for value in ("wx_now", uh):
            parts = [f"{value}.{gate}" for gate in "rzn"]
            inside.nodes.append(helper.make_node("Split", [value, "thirds"], parts, axis=1))
        for gate in "rz":
            total = inside.node("Add", (f"wx_now.{gate}", f"{uh}.{gate}"), f"sum_{gate}")
            inside.looked_up(gate, "a", inside.codes("a", total, f"a_{gate}"))
        inner = inside.node("Add", (f"{uh}.n", inside.bias("bn", self.p.bn, self.f["uh"])), "inner")
        rh = inside.through("rh", inside.node("Mul", ("r.wide" if self.wide else "r.value", inner), "r_times_inner"))
        an = inside.codes("an", inside.node("Add", ("wx_now.n", rh), "sum_n"))
        n = inside.looked_up("n", "an", an)
        z = "z.wide" if self.wide else "z.value"
        one = inside.constant("one", np.array(1, self.real))
        rest = inside.through("1-z", inside.node("Sub", (one, z), "one_less_z"))
        zn = inside.through("zn", inside.node("Mul", (rest, n), "rest_times_n"))
        zh = inside.through("zh", inside.node("Mul", (z, "h_before"), "z_times_h"))
        h = inside.through("h", inside.node("Add", (zn, zh), "sum_h"))
        inside.constant("one_step", np.array([1], np.int64))
        inside.node("Add", ("t_before", "one_step"), "t_after")
        on = inside.node("Less", ("t_before", "steps_column"), "on")
        inside.node("Where", (on, h, "h_before"), "h_after")
        kind = TensorProto.DOUBLE if self.wide else TensorProto.FLOAT
        info = helper.make_tensor_value_info
        return helper.make_graph(
            inside.nodes, "step",
            [info("h_before", kind, None), info("t_before", TensorProto.INT64, [1]), info("wx_now", kind, None)],
            [info("h_after", kind, None), info("t_after", TensorProto.INT64, [1])],
            [numpy_helper.from_array(value, name) for name, value in inside.constants.items()],
        )  # fmt: skip

    def model(self) -> onnx.ModelProto:
        """The whole."""
        from onnx import TensorProto, helper, numpy_helper

        x = self.through("x", "x")
        sums = self.node("MatMul", (x, self.weights("W", self.p.w)), "x_times_w")
        wx = self.through("wx", self.node("Add", (sums, self.bias("b", self.p.b, self.f["x"] + self.f["W"])), "sum_wx"))
        self.node("Shape", ("steps",), "batch")
        self.constant("cells", np.array([len(self.p.bn)], np.int64))
        shape = self.node("Concat", ("batch", "cells"), "shape_of_h", axis=0)
        zero = numpy_helper.from_array(np.zeros(1, self.real), "zero")
        self.node("ConstantOfShape", (shape,), "h_first", value=zero)
        self.constant("t_first", np.array([0], np.int64))
        self.constant("last_axis", np.array([1], np.int64))
        self.node("Unsqueeze", ("steps", "last_axis"), "steps_column")
        self.nodes.append(helper.make_node(
            "Scan", ["h_first", "t_first", wx], ["h_last", "t_last"], body=self.step(), num_scan_inputs=1,
            scan_input_axes=[1],
        ))  # fmt: skip
        results = self.node("MatMul", ("h_last", self.weights("FC", self.p.fc)), "h_times_fc")
        total = self.node("Add", (results, self.bias("c", self.p.bias, self.f["h"] + self.f["FC"])), "sum_y")
        codes = self.codes("y", total)
        self.node("DequantizeLinear", (codes, *self.grid("y")), "scores")
        info, classes = helper.make_tensor_value_info, len(self.p.bias)
        graph = helper.make_graph(
            self.nodes, self.gru.name,
            [info("x", TensorProto.FLOAT, ["N", "T", self.p.w.shape[1]]), info("steps", TensorProto.INT64, ["N"])],
            [info("scores", TensorProto.FLOAT, ["N", classes])],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )  # fmt: skip
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10, producer_name="mohaq"
        )
