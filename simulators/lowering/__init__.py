"""How a layer becomes tasks: what a platform's author writes with."""
