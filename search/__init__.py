"""Multi-objective search over bit-widths."""
