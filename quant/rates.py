"""Errors of a model that counts right and wrong."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """In percent: of all, and of the worst part."""

    error_max: float
    error: float
