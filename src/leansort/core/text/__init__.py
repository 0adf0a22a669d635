"""Text that people write: encodings, tables, lists of names, YAML, by path or by name.

Begin with `text_files`, then `yaml_config`.
"""
