"""The waste-sorting contest's own rules: classes, two score formulas, baselines, submission file.

May import `core`, `runtime` and `measure`. Nothing outside this room and the commands that name the contest knows its
formulas. Begin with `formulas`.
"""
