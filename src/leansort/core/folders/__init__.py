"""Folders of people's pictures: walked without surprises, named alike everywhere, told apart by content.

Begin with `folder_walk`, then `image_files` and `class_folders`.
"""
