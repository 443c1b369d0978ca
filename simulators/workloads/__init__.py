"""What runs: traces of layers, and what reads them from files."""
