"""`leansort data …`: import, check, split, show, cache. Imports no other room. Begin with `import_data`."""
