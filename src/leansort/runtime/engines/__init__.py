"""One file an engine; the file's name is the engine's name. See `leansort.runtime.engine` for what a file must have."""
