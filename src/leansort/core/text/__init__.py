"""Text that people write: encodings, tables, lists of names, YAML, by path or name; and text that is safe to print.

Begin with `text_files`, then `yaml_config`.
"""
