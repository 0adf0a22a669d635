"""How training crops are varied, in whole batches on uint8 pixels.

Imports no other room. Begin with `augment_config` (what can be asked for), then `draws` (what is drawn) and `batch` (how it
is done).
"""
