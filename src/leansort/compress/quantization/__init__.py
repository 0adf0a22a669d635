"""Graphs in int8 or 16 bits, for ONNX Runtime and for OpenVINO. Imports no other room. Begin with `post_training`."""
