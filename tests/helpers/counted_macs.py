"""An independent count of a module's multiply-accumulates: from the shapes of the tensors that layers really read and
leave, with nothing of `quant.own`."""

import torch
from torch import nn


def counted_macs(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Multiply-accumulates of one call: each element of a product's result took as many as an output has weights; a
    step of a sequence of a recurrent layer takes every weight once."""
    total = 0

    def count(layer: nn.Module, args: tuple[torch.Tensor, ...], result: object) -> None:
        nonlocal total
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            assert isinstance(result, torch.Tensor)
            total += result.numel() * layer.weight[0].numel()
        else:
            vectors = args[0].numel() // args[0].shape[-1]
            weights = [p.numel() for name, p in layer.named_parameters() if "weight" in name or name in ("W", "U")]
            total += vectors * sum(weights)

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.LSTM, nn.GRU)
    layers = [part for part in module.modules() if isinstance(part, kinds) or type(part).__name__ == "Recurrent"]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        module(*inputs)
    for hook in hooks:
        hook.remove()
    return total
