"""Methods of search: which candidates are asked for next. Open to plugins and installed packages (`mohaq.methods`)."""

from search.methods.method import Method, MethodSettings, Space, Trial
from search.methods.registry import METHODS, register_method
from search.space.genome import Genes

__all__ = ["METHODS", "Genes", "Method", "MethodSettings", "Space", "Trial", "register_method"]
