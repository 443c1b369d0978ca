"""Networks that are graphs, written with a candidate's integers."""
