"""Layers split into chains of smaller ones (Tucker, CP, SVD). May import `passes_api`. Begin with `decomposition`."""
