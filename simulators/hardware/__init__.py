"""Hardware that a trace runs on: architecture specs from YAML, SRAM figures, area."""
