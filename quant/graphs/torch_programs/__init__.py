"""Modules of torch as graphs: what `torch.export` makes of one, node by node in ONNX's operators."""
