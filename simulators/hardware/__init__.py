"""What it runs on: architecture specs from YAML, SRAM figures, area."""
