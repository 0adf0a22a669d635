"""Commands for a classifier in the field: `leansort watch`, `leansort mine`, and data sets that grow."""
