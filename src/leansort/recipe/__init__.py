"""Recipes: the resolved intent behind a run, as strict YAML with `key=value` overrides.

`schema` holds the models of the sections, `target` the device that a result is for, `data_section` the one section
whose keys a data source brings, and `load` reads and checks all of it. Keys that had another name once are in
`core.text.renamed_keys`.

May import every floor below it, and none of the workflows. Begin with `load`.
"""
