"""Networks of one's own: torch modules, operator-wise GRUs."""
