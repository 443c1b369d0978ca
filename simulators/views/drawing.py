"""What all pictures are drawn in: matplotlib without its languages."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def drawing() -> Iterator[None]:
    """Inside, `$` is a character, and no user's settings have LaTeX set texts; a character that the font has not is
    drawn as a box, without a word. (Names pass `picture_text` besides.)"""
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield
