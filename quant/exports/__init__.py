"""Quantized recognisers in the formats of others: C, and ONNX with quantizers."""
