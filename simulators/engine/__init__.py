"""The machine model and the two engines that run it: SimPy to be read, Numba to be fast."""
