"""DRRA-2, SiLago's newer fabric: columns of an input, a compute and an output cell with 256-bit rows."""
