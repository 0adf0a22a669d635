"""A stress test as text and as a page, written without Jinja2, which a robot's installation lacks.

Begin with `stress_page`.
"""
