"""What the commands do: each workflow puts the floors below together and returns its result.

May import every floor below; the command line is above. The rooms, from the ground up: the file `console`, then
`data`, `training`, `deploy`, `compression` and `tuning`, and on top the file `run`, a recipe's whole job. Begin with
`run`.
"""
