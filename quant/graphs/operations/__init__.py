"""The operations of a graph: each computes a node, and says what it costs."""
