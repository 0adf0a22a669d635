"""What the Tab key offers beside commands and options; begin with `offered_names`. Imports core and runtime alone."""
