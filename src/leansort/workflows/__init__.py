"""What the commands do: each workflow puts the floors below together and returns a typed result with a version.

May import every floor below; the command line is above. The rooms, from the ground up: `data` and the file `arch`,
then `training`, `deploy` beside `contest`, `cards`, `comparison`, `compression` and `tuning`, and on top the file
`run`, a recipe's whole job. Begin with `run`. The files that they leave are named in `core.run_folder` alone.
"""
