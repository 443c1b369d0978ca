"""One file a cell type."""
