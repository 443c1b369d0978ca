"""Sequential tasks on real data, and the operator-wise GRUs that are trained on them."""
