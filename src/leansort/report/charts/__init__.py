"""Plots as SVG. Begin with `plots`."""
