"""Making a trained network smaller and faster, and proving that it still sorts right.

May import `core` to `data`, never `train`, `export` or `search`: what it needs of them is handed in. The rooms, from
the ground up: the files `compress_config` and `passes_api`; `pruning`, `low_rank` and `quantization` (how it is done);
the file `evaluation`; `passes` (what a recipe can name); `pipeline` (in which order, and whether a step paid). Begin
with `passes_api`, then `pipeline.runner`.
"""
