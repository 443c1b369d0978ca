"""Bit Fusion (Sharma et al., ISCA 2018)."""
