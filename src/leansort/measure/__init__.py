"""How right and how fast: metrics with intervals, calibration, latency, the machine, the roofline.

May import `core` and `runtime`, never PyTorch. Every figure that leansort prints is made here. Begin with
`accuracy.metrics` and `timing.latency`; the rooms are `accuracy`, `timing` and, on top, `engine_selection`.
"""
