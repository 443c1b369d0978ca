"""What is searched: bit-widths of sites, and variants of hardware."""
