"""What is wrong or doubtful about images: unreadable, unusual, there twice. May import `splits`.

Begin with `dataset_check`.
"""
