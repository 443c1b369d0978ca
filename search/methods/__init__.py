"""Which candidates are asked for next."""
