"""Methods of search: which candidates are asked for next. Open to plugins and installed packages (`mohaq.methods`)."""

from search.methods.method import Method, MethodSettings, Space, Trial
from search.methods.registry import METHODS

__all__ = ["METHODS", "Method", "MethodSettings", "Space", "Trial"]
