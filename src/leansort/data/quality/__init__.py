"""What is wrong or doubtful about pictures: unreadable, unusual, there twice. May import `splits`.

Begin with `dataset_check`.
"""
