"""One file a data source; the file's name is what `data.source` names. May import every other room.

Each has a class derived from `DataSource`; begin with `folder`.
"""
