"""Trained recurrent speech recognisers, their post-training quantization, and the traces that they emit."""
