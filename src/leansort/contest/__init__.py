"""The waste-sorting contest's own rules: its two score formulas, its baselines and its submission file.

May import `core`, `runtime` and `measure`. Nothing outside this room and the commands that name the contest knows its
formulas. Begin with `formulas`.
"""
