"""COCO annotation files: read, planned and cut into crops. May import `importing` and `quality`.

Begin with `plan` (which boxes), then `cut` (the crops).
"""
