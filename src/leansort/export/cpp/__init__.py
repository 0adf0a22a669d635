"""A bundle as a folder of C++: the graph, its settings, a runtime, a program, and a test against Python's own answers.

`project/` holds the C++ files as they are copied. May import `core`, `runtime` and `data.synthetic`. Begin with
`cpp_folder`.
"""
