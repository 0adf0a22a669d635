"""From people's photos to crops that can be trusted: import, split, check, load, vary.

May import `core` to `arch`. The rooms, from the ground up: the file `splits`, then `quality`, `importing`, `coco`,
`download` and `synthetic`, and on top `sources`; `augmentation` and `loading` stand apart. Begin with
`importing.items` (what a source yields) and `importing.manifest_builder`.
"""
