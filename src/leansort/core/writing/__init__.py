"""What is written: whole or not at all, under a lock, and harmless where it is shown.

Imports no other room. Begin with `atomic_io`; `escaping` has one function for each place where foreign text is shown.
"""
