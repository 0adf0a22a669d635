"""Which predictions a robot may act on: how novel an image is, and which decision costs least.

May import `core`, never PyTorch. Begin with `novelty`, then `costs`.
"""
