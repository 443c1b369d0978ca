"""Kinds of values that several files hold."""

from __future__ import annotations

from typing import Any


def whole(value: Any) -> Any:
    """`1e3` is a whole number although YAML reads it as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
