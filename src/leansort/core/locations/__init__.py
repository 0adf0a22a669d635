"""Files where they lie: local paths, and paths in a store that fsspec reaches (s3://, gs://, https://, memory://).

Imports no other room. Begin with `location`, which makes a path of what a user gives; `remote_store` reads and writes,
`read_ahead` reads photos before it is their turn, `redaction` keeps secrets out of all that is shown. fsspec is
imported when the first path is used that needs it.
"""
