"""Adapteva's Epiphany (Olofsson, Nordström, Ul-Abdin 2014): a mesh of cores with local memories and no caches."""
