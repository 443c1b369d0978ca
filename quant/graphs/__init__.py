"""Networks as graphs of operations: read from ONNX files, computed in any roundings, traced and quantized."""
