"""What each ONNX operator does to shapes, by which a graph's memory is known before it is loaded.

Begin with `layer_rules`; `axes` and `indexing` hold the rules of reshaping and slicing.
"""
