"""From a trained model to a bundle: graphs in four formats, and the proof that they say what the network says.

May import `core` to `data`. Begin with `formats`, then `parity`.
"""
