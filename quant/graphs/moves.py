"""Operators that put values in other places and change none: what a file says of its integers holds behind them too."""

MOVES = frozenset({
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Split", "Slice", "Gather", "GatherElements", "GatherND",
    "Expand", "Tile", "Identity", "Dropout", "DepthToSpace", "MaxPool", "GlobalMaxPool",
})  # fmt: skip
"""ONNX's names of them; they read values from their first input."""
