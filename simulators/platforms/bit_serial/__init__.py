"""Bit-serial matrix arrays (BISMO's family: Umuroglu et al., FPL 2018), and the one behind HAQ's latency table."""
