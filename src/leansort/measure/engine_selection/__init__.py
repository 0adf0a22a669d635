"""Which engine runs a bundle: tried in a child process first, and the fastest for `auto`.

May import `timing`. Begin with `engine_choice`.
"""
