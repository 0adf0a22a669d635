"""From a trained network to a robot: export, calibrate, bench, predict, report.

May import `data` and `training`. Begin with `export`.
"""
