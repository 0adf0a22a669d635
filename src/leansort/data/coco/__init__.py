"""COCO annotations: read, checked, planned and cut."""
