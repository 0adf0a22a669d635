"""Is the graph of a bundle one that may be run? Asked when a bundle is opened or saved, before any engine sees it.

Here are a reader and a check for each format, and in `limits` every number that they hold a graph to. They import
nothing but numpy: a robot has neither `onnx` nor torch. Begin at `sound.require`.
"""
