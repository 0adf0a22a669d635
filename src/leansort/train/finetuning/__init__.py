"""What pretrained weights need beside the loop: learning rates by depth, and layers that stay as they are.

Imports nothing else of training. Begin with `layer_depths`.
"""
