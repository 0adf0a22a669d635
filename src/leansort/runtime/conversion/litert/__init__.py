"""From ONNX graphs, float or int8, to LiteRT's format, without a converter. Begin with `litert_graph`."""
