"""One file a backbone, `NAME.yaml` (rows) or `NAME.py` (code): the file's name is the backbone's name."""
