"""Folders of people's images: walked without surprises, named alike everywhere, told apart by content.

Begin with `folder_walk`, then `image_files` and `class_folders`.
"""
