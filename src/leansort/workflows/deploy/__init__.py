"""From a trained network to a robot: export, calibrate, bench, predict, report, card.

May import `data` and `training`. Begin with `export`.
"""
