"""What every other floor stands on: errors, seeds, labels, pixels, files, the manifest and the bundle.

Imports nothing of leansort and never PyTorch: it is installed on the robot. Begin with `bundle` (the one file that a
robot needs), `preprocess` (the one place where pixels are made), `manifest` (one row a crop) and
`run_folder` (every file of a run).
"""
