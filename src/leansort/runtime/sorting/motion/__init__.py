"""Where objects of a frame were in the frame before. May import `core`, and is imported by the sorting around it.

Begin with `box_tracker`; `common_motion` tells it how a belt moves before any object has been followed.
"""
