"""A search from beginning to end: the driver, its folder, what it leaves and shows."""
