"""Networks as files: checkpoints and exports."""
