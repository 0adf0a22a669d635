"""What befalls images on a robot, in five levels each: light, blur, noise, dirt, damage, wrong boxes, other grounds.

Numpy and Pillow alone, so that a robot can be tested as it is installed; training varies its crops by the same
functions. Imports no other room of `measure`. Begin with `kinds`, which lists them with the parameters of every level.
"""
