"""Bits and hardware together: sweeps over variants, and searches whose genes hold both."""
