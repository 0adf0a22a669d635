"""Checks of a bundle's graph, made when the bundle is opened or saved and before any engine sees it.

Here are a reader and a check for each format, and in `limits` every number that they hold a graph to. They import
nothing but numpy: a robot has neither `onnx` nor torch. Begin with `soundness`.
"""
