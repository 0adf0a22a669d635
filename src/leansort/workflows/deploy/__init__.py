"""From a trained network to a robot: export, calibrate, bench, predict, submit, score, report, card.

May import `data` and `training`. Begin with `export`.
"""
