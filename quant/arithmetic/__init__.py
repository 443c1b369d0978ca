"""How numbers are held and multiplied: grids, exact integer products, clipping, calibration, delta networks."""
