"""Where mohaq keeps what it can make again: corpora and features."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$MOHAQ_CACHE`, or `~/.cache/mohaq`. The folder need not exist yet."""
    configured = os.environ.get("MOHAQ_CACHE")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "mohaq"
