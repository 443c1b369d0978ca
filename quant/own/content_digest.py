"""What a value is, as a digest: modules with their code and all that they hold, tensors, functions with what they close
over. It decides whether a ledger's result is found again, so what cannot be told has a digest that nothing else has."""

import dataclasses
import enum
import functools
import hashlib
import inspect
import pickle
import types
import uuid
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

_LIBRARIES = ("torch", "numpy", "scipy", "sklearn", "builtins", "quant", "simulators", "search")
"""Packages whose code a version tells, or `quant.evaluation.code`."""
_OF_PYTHON = ("__weakref__", "__dict__", "__doc__", "__firstlineno__", "__static_attributes__", "__annotations__")
_OF_TORCH = ("_parameters", "_buffers", "_modules", "_flat_weights", "_flat_weight_refs", "training")
"""What a module holds under names of its own, beside these."""


def content_digest(*values: Any) -> str:
    """sha256 of values and of all that can be reached from them."""
    walk = _Walk()
    for value in values:
        walk.add(value)
    return walk.hash.hexdigest()


class _Walk:
    """One pass over values, each object once."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self._seen: dict[int, tuple[int, Any]] = {}

    def add(self, value: Any) -> None:
        """Take in a value."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | Path | range | slice):
            self._say(type(value).__name__, repr(value))
            return
        if id(value) in self._seen:
            self._say("again", self._seen[id(value)][0])
            return
        self._seen[id(value)] = len(self._seen), value
        self._say(type(value).__name__)
        if isinstance(value, torch.Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray | np.generic):
            self._array(np.asarray(value))
        elif isinstance(value, Mapping):
            self._all(part for pair in value.items() for part in pair)
        elif isinstance(value, list | tuple):
            self._all(value)
        elif isinstance(value, Set):
            self._say(*sorted(content_digest(part) for part in value))
        elif isinstance(value, enum.Enum | types.ModuleType | torch.dtype | torch.device):
            self._say(getattr(value, "__name__", str(value)))
        elif isinstance(value, nn.Module):
            self._module(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, functools.partial):
            self._all((value.func, value.args, value.keywords))
        elif isinstance(value, types.MethodType):
            self._all((value.__func__, value.__self__))
        elif isinstance(value, staticmethod | classmethod):
            self.add(value.__func__)
        elif isinstance(value, property):
            self._all((value.fget, value.fset))
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.CodeType):
            self._code(value)
        elif isinstance(value, types.BuiltinFunctionType | types.WrapperDescriptorType | types.MethodDescriptorType):
            self._say(value.__qualname__)
        elif dataclasses.is_dataclass(value):
            self._all((type(value), *(getattr(value, each.name) for each in dataclasses.fields(value))))
        else:
            self._object(value)

    def _say(self, *words: object) -> None:
        self.hash.update("\0".join(map(str, (*words, ""))).encode())

    def _all(self, values: Iterable[Any]) -> None:
        values = list(values)
        self._say(len(values))
        for value in values:
            self.add(value)

    def _tensor(self, value: torch.Tensor) -> None:
        x = value.detach().cpu().contiguous()
        self._say(x.dtype, tuple(x.shape))
        self.hash.update(x.reshape(-1).view(torch.uint8).numpy().tobytes() if x.numel() else b"")

    def _array(self, value: np.ndarray) -> None:
        self._say(value.dtype, value.shape)
        if value.dtype.hasobject:
            self._all(value.ravel().tolist())
        else:
            self.hash.update(np.ascontiguousarray(value).tobytes())

    def _module(self, module: nn.Module) -> None:
        self.add(type(module))
        held = {name: value for name, value in vars(module).items() if name not in _OF_TORCH}
        self._all((held, dict(module._parameters), dict(module._buffers), dict(module._modules)))

    def _class(self, kind: type) -> None:
        self._say(kind.__module__, kind.__qualname__)
        if kind.__module__.split(".")[0] in _LIBRARIES:
            return
        self._all(kind.__bases__)
        self._all(part for name, value in vars(kind).items() if name not in _OF_PYTHON for part in (name, value))

    def _function(self, function: types.FunctionType) -> None:
        self._say(function.__module__, function.__qualname__)
        if (function.__module__ or "").split(".")[0] in _LIBRARIES:
            return
        self.add(function.__code__)
        self._all((function.__defaults__, function.__kwdefaults__))
        self._all(cell.cell_contents for cell in function.__closure__ or () if _filled(cell))
        for name in _names(function.__code__):
            if name in function.__globals__:
                self._say(name)
                self.add(function.__globals__[name])

    def _code(self, code: types.CodeType) -> None:
        self.hash.update(code.co_code)
        self._say(code.co_names, code.co_varnames, code.co_freevars)
        self._all(code.co_consts)

    def _object(self, value: Any) -> None:
        """Anything else: its class and what it holds, or what it pickles to, or nothing that there is again."""
        self.add(type(value))
        held = getattr(value, "__dict__", None)
        if held and not inspect.isgenerator(value):
            self.add(held)
            return
        try:
            self.hash.update(pickle.dumps(value))
        except Exception:  # whatever an object of somebody's raises there
            self._say(uuid.uuid4())


def _filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None or True
    except ValueError:
        return False


def _names(code: types.CodeType) -> list[str]:
    """Names of globals that a function may read, those of functions within it included."""
    inner = [name for const in code.co_consts if isinstance(const, types.CodeType) for name in _names(const)]
    return sorted({*code.co_names, *inner})
