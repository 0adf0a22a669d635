"""Protocol Buffers as bytes: `wire` reads fields, `messages` names those of ONNX."""
