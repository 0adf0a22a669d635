"""How much of its accuracy a bundle keeps under light, dirt, blur and other grounds: severity curves, level by level.

Imports `accuracy` and `corruptions`. Begin with `stress_test`; `stress_result` is what it comes to.
"""
