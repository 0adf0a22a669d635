"""How right: metrics, calibration, and the ground truth that answers are held against. Begin with `metrics`."""
