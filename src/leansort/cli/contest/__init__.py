"""The contest as a simulation: `leansort contest`."""
