"""Commands about goals: `solve` and `status`.

May import `cli.options`, the public functions and core. Begin with `solve_command`.
"""
