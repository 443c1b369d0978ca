"""Training runs: what `mohaq train` makes of a corpus, a checkpoint and its card."""
