"""A trace on an architecture: one simulation, a batch of candidates, sweeps over architectures, the report."""
