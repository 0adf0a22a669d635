"""From a bundle and an image to a label: what runs on the robot.

May import `core`, never PyTorch. Begin with `predictor` (the `Classifier`), then `engine` (what an engine guarantees)
and the files of `engines`, one for each library that runs a graph.
"""
