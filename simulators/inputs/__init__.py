"""What every package reads and writes with: errors with a place, YAML, files, shipped names, compiled kernels."""
