"""The contest, simulated, for the terminal."""
