"""One experiment over several models and platforms: a run of each pair, and one report that compares them."""
