"""What each ingredient of a recipe is worth, on clean crops and under stress: `leansort ablate`. Begin with `ablation`.

May import every floor below the workflows, and of them `data` and the room above.
"""
