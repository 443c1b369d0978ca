"""What gets bits: the sites of a network, and candidates, which give each a pair of bit-widths."""
