"""`leansort stress`: what bundles keep of their accuracy under light, dirt, blur and other grounds.

May import the rooms `data` and `training`, and every floor below. Begin with `stress`.
"""
