"""One file a backbone: `NAME.yaml` (rows) or `NAME.py` (code, with a class derived from `Backbone`)."""
