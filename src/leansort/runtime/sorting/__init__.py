"""Sorting what a camera sees: frames in, one decision for each object out. May import the other rooms of runtime.

Begin with `belt_sorter` (what is done with a frame), then `timed_frames` (what a source gives) and its sources:
`live_source` for cameras and streams, `photo_sources` for folders and lists.
"""
