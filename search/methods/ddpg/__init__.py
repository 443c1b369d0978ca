"""HAQ's agent (Wang et al., CVPR 2019): deep deterministic policy gradient over the sites of a network."""
