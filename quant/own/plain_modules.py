"""Whether a module computes what its class says: known by the identity of its `forward`, not by its class, which a
subclass or an assignment may give another."""

import torch
from torch import nn

from simulators.inputs.errors import InputError

_DECIDING = ("forward", "__call__", "_call_impl", "_wrapped_call_impl", "_conv_forward")
"""What decides what a call of a module computes, where its class has it."""


def why_not_plain(module: nn.Module, kind: type[nn.Module]) -> str:
    """Why a module does not compute what a class that it derives from does; empty where it does. Parametrizations
    change weights only; hooks stay where they are."""
    for name in _DECIDING:
        if name in vars(module):
            return f"its {name} was replaced on the instance"
        if getattr(type(module), name, None) is not getattr(kind, name, None):
            return f"its {name} is not that of {kind.__name__}"
    return ""


def check_module(part: nn.Module, path: str) -> None:
    """Raise InputError, which names it, for a module that is not made of Python and of float32 in this machine's
    memory."""
    kind = type(part).__name__
    if isinstance(part, torch.jit.ScriptModule):
        raise InputError(f"{path}: {kind}: TorchScript cannot be traced: give the module that it was made of")
    if type(part).__module__.startswith("torch._dynamo"):
        raise InputError(f"{path}: {kind}: a compiled module cannot be traced: give the module that it was made of")
    own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
    for name, tensor in own:
        if torch.nn.parameter.is_lazy(tensor):
            raise InputError(f"{path}: {kind}: {name} has no shape yet: call the module once before")
        if tensor.is_floating_point() and tensor.dtype is not torch.float32:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise InputError(f"{path}: {kind}: {name} is {dtype}: float32 is quantized: `.float()` makes that of it")
        if tensor.device.type != "cpu":
            raise InputError(f"{path}: {kind}: {name} is on {tensor.device}: `.cpu()` brings it here")
