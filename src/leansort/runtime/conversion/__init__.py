"""From ONNX graphs to formats whose converters need no torch.

May import what lies beside it in `runtime`. Begin with `ncnn_graph`.
"""
