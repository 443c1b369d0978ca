"""EdgeDRNN (Gao et al., arXiv:2012.13600): a delta-GRU accelerator that streams weights by column from DRAM."""
