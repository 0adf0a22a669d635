"""Training a network: the loop, losses, optimizers, checkpoints, teachers, callbacks and trackers.

May import `core` to `data`, never `compress`, `export` or `search`. Begin with `loop`: the whole training, top to
bottom; then `training_run` (an epoch) and `batch_steps` (a batch).
"""
