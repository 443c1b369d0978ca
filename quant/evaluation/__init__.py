"""The error of a candidate on real utterances."""
