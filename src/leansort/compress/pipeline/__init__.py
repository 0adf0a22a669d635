"""The steps of a recipe, one after another: applied, judged within the accuracy budget, kept or rolled back.

May import every other room. Begin with `runner`.
"""
