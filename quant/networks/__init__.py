"""Recurrent networks: cells, and the stacks that are made of them."""
